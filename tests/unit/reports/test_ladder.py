"""The ladder's page says what the record says, missing figures included, whatever the rungs are called."""

from __future__ import annotations

import dataclasses

import pytest

from evalkit.decision.pareto import Front, Place
from evalkit.decision.smallest import Named
from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError
from evalkit.record.ladder_record import (
    SCHEMA_VERSION,
    Figures,
    LadderRecord,
    RungLine,
    read_ladder,
    write_ladder,
)
from evalkit.record.layout import RunFolder
from evalkit.stats.interval import Interval, NotEstimable
from reports.ladder import ladder_view, render_ladder

NOT_SHOWN = Place(front=Front.NOT_SHOWN, by=("cut:0-2",))
VOID = NotEstimable(reason="void: the generator <b>was late</b>", n=0)


def interval(point: float, half: float) -> Interval:
    return Interval(point=point, lower=point - half, upper=point + half, level=0.95, n=800, method="")


def figures(parameters: int, accuracy: float, ms: float | None) -> Figures:
    return Figures(
        parameters=parameters,
        megabytes=4.0,
        accuracy=interval(accuracy, 0.02),
        p50_ms=VOID if ms is None else interval(ms, 0.1 * ms),
        p99_ms=NotEstimable(reason="its requests came in runs that are alike", n=400),
        usd_per_million=NotEstimable(reason="not measured", n=0) if ms is None else interval(10 * ms, ms),
    )


def rung(name: str, parameters: int, accuracy: float, ms: float | None, outcome: Outcome, place: Place) -> RungLine:
    return RungLine(
        name=name,
        is_control=name == "teacher",
        run=f"task-{name}",
        spec_digest="d",
        look=1,
        figures=figures(parameters, accuracy, ms),
        gap=interval(accuracy - 0.9, 0.015),
        outcome=outcome,
        is_good=outcome is Outcome.GO,
        why="accuracy gap over all rows is between −9 and −5 points; allowed −5",
        less_best=interval(accuracy - 0.9, 0.02),
        not_inferior=accuracy > 0.87,
        may_be_best=accuracy > 0.87,
        place=place,
        finding=None,
    )


@pytest.fixture(scope="module")
def record() -> LadderRecord:
    return LadderRecord(
        schema_version=SCHEMA_VERSION,
        task="fixture",
        outcome=Outcome.GO,
        rungs=(
            rung("tiny", 400_000, 0.80, 1.1, Outcome.NO_GO, Place(front=Front.ON)),
            rung("mini", 1_200_000, 0.84, 2.0, Outcome.NO_GO, Place(front=Front.BEATEN, by=("cut:0-2",))),
            rung("cut:0-2", 3_000_000, 0.89, 1.6, Outcome.GO, Place(front=Front.ON)),
            rung("cut:0-2-4", 3_400_000, 0.885, None, Outcome.INCONCLUSIVE, NOT_SHOWN),
            rung("teacher", 5_000_000, 0.90, 4.0, Outcome.NO_GO, Place(front=Front.ON)),
        ),
        teacher=figures(5_000_000, 0.9, 4.0),
        smallest_go=Named(name="cut:0-2", reason="GO: it is good enough"),
        smallest_as_good=Named(name="cut:0-2", reason="shown to lose less than 3 points"),
        margin=0.03,
        asked_confidence=0.95,
        confidence=0.975,
        methods=("fixed sequence",),
        objectives=("accuracy", "p50_ms", "usd_per_million"),
        rows=800,
        verdicts_before=2,
        spec_digest="0123456789abcdef",
        ladder_digest="fedcba9876543210",
        recorded_at="2026-11-24T20:00:00Z",
        decided_at="2026-11-24T21:00:00Z",
        command="evalkit ladder gate.yaml --sizes tiny,mini",
    )  # fmt: skip


def test_every_rung_stands_with_its_figures_and_its_place_on_the_front(record: LadderRecord) -> None:
    rows = {each.name: (each.quality, each.serving) for each in ladder_view(record).rungs}
    assert rows["tiny"] == (
        ("400,000", "80.0 (78.0 to 82.0) %", "−10.0 (−11.5 to −8.5)", "−10.0 (−12.0 to −8.0)", "yes"),
        ("1.10 (0.990 to 1.21) ms", "not measured", "11.0 (9.90 to 12.1)"),
    )
    assert rows["mini"][0][-1] == "no: beaten by cut:0-2"
    assert rows["cut:0-2-4"][0][-1] == "not shown: cut:0-2 is better as observed"
    assert rows["cut:0-2-4"][1] == ("not measured", "not measured", "not measured")
    assert rows["the teacher"][0][0] == "5,000,000"


def test_why_a_figure_is_missing_is_said_once(record: LadderRecord) -> None:
    missing = ladder_view(record).missing
    assert "p99 of tiny, mini, cut:0-2, cut:0-2-4, teacher: Its requests came in runs that are alike." in missing
    assert any(each.startswith("p50 of cut:0-2-4: void") for each in missing)


def test_the_page_draws_latency_and_size_and_leaves_out_what_was_not_measured(record: LadderRecord) -> None:
    page = render_ladder(record)
    assert page.count('<svg role="img"') == 2
    latency = page[page.index('id="ladder-p50_ms-desc"') :].partition("</desc>")[0]
    assert "cut:0-2: accuracy 89.0 % (87.0 % to 91.0 %) at 1.60" in latency
    assert "cut:0-2-4" not in latency
    assert "<b>was late" not in page
    assert "<script" not in page


def test_a_name_from_outside_cannot_write_into_the_page(record: LadderRecord) -> None:
    hostile = dataclasses.replace(record, task="<script>alert(1)</script>")
    assert "<script" not in render_ladder(hostile)


def test_what_is_written_is_read_again(record: LadderRecord, tmp_path) -> None:
    write_ladder(RunFolder(tmp_path), record)
    assert read_ladder(tmp_path) == record
    with pytest.raises(RunFolderError, match="holds no finished ladder"):
        read_ladder(tmp_path / "elsewhere")
    (tmp_path / "ladder.json").write_text("{}")
    with pytest.raises(RunFolderError, match="is damaged or of another version"):
        read_ladder(tmp_path)
