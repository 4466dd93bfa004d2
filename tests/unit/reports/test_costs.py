"""What the report says about money: fleets, other machines, old prices, cascades."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evalkit.cascade.cascade import Cascade, work_out
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Interval, NotEstimable
from reports.cascades import cascade_view
from reports.costs import cost_lines, instance_views, price_notes
from reports.html import render_html
from reports.markdown import render_markdown
from tests.unit.cascade.planted import gap_claim, planted, question
from tests.unit.reports.assembled import record_of
from tests.unit.reports.counted import crossed, whole_of
from tests.unit.reports.hostile import HOSTILE
from tests.unit.reports.specs import PRICE, spec_of

OTHER = {"usd_per_hour": 0.2, "speed_source": "a vendor's table", **PRICE}
HOURLY = {"usd_per_hour": 0.526, **PRICE}


def record(cascade: Cascade | None = None, **cost) -> RunRecord:
    cells = crossed(900)
    given = {"teacher": HOURLY, "student": HOURLY, "monthly_requests": 30_000_000, "project_usd": 12_000, **cost}
    return record_of(spec_of(cost=given), cells, whole_of(cells), cascade=cascade)


def lines(of: RunRecord) -> dict[str, tuple[str, str, str]]:
    named = {each.name: each for each in of.measurements}
    return {each.what: (each.teacher, each.student, each.comparison) for each in cost_lines(of, named)}


def test_a_fleets_bill_is_that_of_its_machines():
    """33.47 requests a second (± 1.5 %) for a peak of 60 × 1.5: three machines, 3 × 0.526 × 730 = 1,151.94 USD."""
    fleet = HOURLY | {"fleet": {"headroom": 1.5}}
    found = record(teacher=fleet, peak_rps=60)
    assert lines(found)["Machines that stand ready"][:2] == ("3", "as many as are used")
    assert lines(found)["Monthly bill, 30,000,000 requests"][0].startswith("USD 1,151.94")
    assert (
        "USD 0.526 per hour and machine, for 60 requests a second at peak × 1.5 headroom, at least 1"
        in price_notes(found)[0]
    )


def test_the_parts_of_the_project_and_the_payback_are_named():
    project = {"labelling_usd": 400, "engineering_hours": 40, "usd_per_engineering_hour": 100}
    found = record(project_usd=None, project=project)
    assert lines(found)["Break-even"][1] == "project cost USD 4,400.00"
    assert "months (" in lines(found)["Payback time"][2]
    assert "Project cost: labelling: USD 400.00; engineering, 40 h at 100 USD: USD 4,000.00." in price_notes(found)


def test_a_payback_that_may_never_come_says_so():
    found = record(student={"usd_per_million_requests": 8.7, **PRICE})
    assert lines(found)["Payback time"][2].endswith("to no end: it may save nothing)")
    never = record(student={"usd_per_million_requests": 9.9, **PRICE})
    assert lines(never)["Payback time"][2] == "never: the student is not cheaper"


def test_other_machines_stand_in_a_table_and_a_stated_speed_is_not_called_measured():
    student = HOURLY | {
        "instances": [OTHER | {"name": "small", "relative_speed": 0.5}, OTHER | {"name": "tiny", "rps": 20}]
    }
    found = record(student=student)
    here, small, tiny = instance_views(found)
    assert (here.name, here.speed) == ("the machine that was measured", "measured")
    assert small.speed == tiny.speed == "stated, not measured: a vendor's table"
    assert "(" not in tiny.rate, "what is stated has no interval"
    for text in (render_html(found), render_markdown(found)):
        assert "Other machines" in text
        assert "tiny" in text
    assert "Other machines" not in render_html(record())


def test_names_that_mean_ill_are_shown_and_not_run():
    found = record(student=HOURLY | {"instances": [OTHER | {"name": HOSTILE, "rps": 5, "speed_source": HOSTILE}]})
    assert "<script>" not in render_html(found).replace(render_html(record()), "")


def cascade() -> Cascade:
    table = planted(8000, lambda confidence: np.where(confidence < 0.6, 0.5, 0.0), 1)
    return work_out(question(table, [gap_claim(0.05)]), np.random.default_rng(1))


def test_the_cascade_is_a_line_a_threshold_and_names_the_best():
    found = cascade_view(record(cascade()))
    assert found is not None
    (best,) = (row for row in found.rows if row.is_best)
    assert best.threshold.endswith(" (best)")
    assert [row.state.word for row in found.rows[-3:]] == ["not judged"] * 3
    assert "does not flatter it" in found.said
    for text in (render_html(record(cascade())), render_markdown(record(cascade()))):
        assert "The student first, the teacher where it is unsure" in text
        assert best.share in text
    assert "The student first" not in render_html(record())


@pytest.mark.parametrize("reason", ["void: the generator fell behind", "no throughput was measured"])
def test_a_cascade_whose_cost_is_unknown_shows_no_number(reason):
    worked = cascade()
    unknown = NotEstimable(reason=reason, n=0)
    blank = tuple(dataclasses.replace(line, cost_reduction=unknown, usd_per_million=None) for line in worked.lines)
    found = cascade_view(record(dataclasses.replace(worked, lines=blank)))
    assert found is not None
    shown = "■ VOID" if reason.startswith("void") else f"not measured: {reason}"
    assert {(row.reduction, row.usd_per_million) for row in found.rows} == {(shown, "not measured")}
    assert all(isinstance(line.gap, Interval) for line in blank)
