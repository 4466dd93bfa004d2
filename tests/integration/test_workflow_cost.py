"""Money through the real gate: APIs by the token, cascades, old prices, on recorded predictions."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.decision.outcome import Outcome
from evalkit.decision.recommendation import Action
from evalkit.errors import DataError
from evalkit.planning.assumptions import Assumptions
from evalkit.record.run_record import read_record
from evalkit.spec.loading import load_spec
from evalkit.stats.interval import Interval
from evalkit.workflow.planning import make_plan
from reports.html import render_html
from reports.markdown import render_markdown
from tests.recorded_projects import Tables, binary, record_of, write_project

TODAY = datetime.datetime.now(datetime.UTC).date()
PRICE = {"source": "price list", "date": TODAY.isoformat()}
BAR = {"quality": {"overall_margin": 0.05, "retention": 0.9}, "cost_reduction": 2.0}
SPEC: dict[str, Any] = {
    "task": {"labels": ["no", "yes"]},
    "requirements": BAR,
    "cost": {
        "teacher": {"usd_per_million_requests": 800, **PRICE},
        "student": {"usd_per_million_requests": 100, **PRICE},
    },
}
TOKENS = {"usd_per_million_input": 3.0, "usd_per_million_output": 15.0}


def unsure(rows: int = 4000, seed: int = 11) -> Tables:
    """The student is wrong in half of the fifth of rows of which it is least sure: it loses 10 points."""
    tables = binary(rows, lost=0.0, gained=0.0, seed=seed)
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, rows)
    lost = (confidence < 0.6) & (rng.random(rows) < 0.5)
    tables = tables.losing(lost, 1.0)
    made = {}
    for role in ("teacher", "student"):
        table = getattr(tables, role)
        sure = np.where(table["prediction"] == "yes", confidence, 1 - confidence)
        made[role] = table.assign(probability_no=1 - sure, probability_yes=sure)
    return Tables(held_out=tables.held_out, **made)


def test_a_student_that_loses_too_much_is_offered_with_its_teacher_where_it_is_unsure(tmp_path: Path) -> None:
    record = record_of(write_project(tmp_path, unsure(), **SPEC))
    assert record.verdict.outcome is Outcome.NO_GO, "an offer changes no outcome"
    assert record.verdict.recommendation.action is Action.CASCADE
    assert record.cascade is not None
    best = record.cascade.lines[record.cascade.best or 0]
    assert isinstance(best.share_to_teacher, Interval)
    assert 0.1 < best.share_to_teacher.point < 0.2
    assert read_record(tmp_path / "runs" / "run").cascade == record.cascade
    for text in (render_html(record), render_markdown(record)):
        assert "The cheapest that keeps every bar is" in text
        assert f"{best.threshold:.4g} (best)" in text


def test_the_cascade_keeps_a_bar_in_every_subpopulation_and_in_what_the_search_found(tmp_path: Path) -> None:
    """Rows of shop lose everything they can: the search confirms them, and the mix is judged there too."""
    tables = unsure()
    probability = tables.student[["probability_no", "probability_yes"]].max(axis=1).to_numpy()
    kind = np.where(probability < 0.62, "fax", "web")
    tables = tables.with_columns(channel=kind)
    spec = SPEC | {"discovery": {"columns": ["channel"], "text_features": False}}
    record = record_of(write_project(tmp_path, tables, **spec))
    assert record.discovery is not None
    assert [each.name for each in record.discovery.confirmed] == ["channel=fax"]
    assert record.cascade is not None
    assert record.cascade.best is not None
    without = record_of(write_project(tmp_path, tables, **SPEC), "without")
    sent = [each.cascade.lines[each.cascade.best].share_to_teacher.point for each in (record, without)]
    assert sent[0] > sent[1], "8 points in the found rows ask for more than 5 points in all"


@pytest.mark.parametrize("change", ["off", "no probabilities"])
def test_no_cascade_is_worked_out_where_none_is_wanted_or_none_can_be(tmp_path: Path, change: str) -> None:
    tables, spec = unsure(), SPEC
    if change == "off":
        spec = SPEC | {"cost": SPEC["cost"] | {"cascade": False}}
    else:
        tables = Tables(
            held_out=tables.held_out,
            teacher=tables.teacher[["id", "prediction"]],
            student=tables.student[["id", "prediction"]],
        )
    record = record_of(write_project(tmp_path, tables, **spec))
    assert record.verdict.recommendation.action is not Action.CASCADE
    if change == "off":
        assert record.cascade is None
    else:
        assert record.cascade is not None
        assert record.cascade.reason is not None
        assert "probabilities are not known" in record.cascade.reason
        assert "No cascade is offered: the student's probabilities" in render_markdown(record).replace("\\", "")


def with_usage(tables: Tables) -> Tables:
    rng = np.random.default_rng(2)
    used = {"input_tokens": rng.integers(100, 301, len(tables.teacher)), "output_tokens": 10}
    return Tables(held_out=tables.held_out, teacher=tables.teacher.assign(**used), student=tables.student)


def test_an_api_teacher_is_priced_by_the_usage_beside_its_predictions(tmp_path: Path) -> None:
    tables = with_usage(binary())
    spec = SPEC | {"cost": SPEC["cost"] | {"teacher": {"tokens": TOKENS, **PRICE}}}
    record = record_of(write_project(tmp_path, tables, **spec))
    values = {each.name: each.value for each in record.measurements}
    by_hand = tables.teacher["input_tokens"].mean() * 3 + 10 * 15
    cost, saving = values["teacher_usd_per_million_requests"], values["teacher_over_student_cost"]
    assert isinstance(cost, Interval)
    assert isinstance(saving, Interval)
    assert cost.point == pytest.approx(by_hand)
    assert saving.point == pytest.approx(by_hand / 100)
    assert saving.lower < saving.point < saving.upper
    assert record.verdict.outcome is Outcome.GO
    assert record.cost is not None
    assert record.cost.usage["teacher"].calls == len(tables.teacher)
    used = "usage of 2,000 recorded calls (teacher.recorded, teacher.parquet), 2,000 of them answered"
    assert used in render_markdown(record)
    assert read_record(tmp_path / "runs" / "run").cost == record.cost


def test_usage_in_a_table_of_its_own_needs_not_be_of_the_held_out_rows(tmp_path: Path) -> None:
    pd.DataFrame({"input_tokens": [100, 300] * 40, "output_tokens": [10] * 80}).to_csv(tmp_path / "log.csv")
    spec = SPEC | {"cost": SPEC["cost"] | {"teacher": {"tokens": TOKENS | {"usage": "log.csv"}, **PRICE}}}
    record = record_of(write_project(tmp_path, binary(), **spec))
    values = {each.name: each.value for each in record.measurements}
    assert isinstance(values["teacher_usd_per_million_requests"], Interval)
    assert values["teacher_usd_per_million_requests"].point == pytest.approx(750)
    plan = make_plan(load_spec(tmp_path / "gate.yaml"), Assumptions())
    assert plan.break_even.teacher_usd_per_million == pytest.approx(750)


def test_recorded_predictions_without_usage_are_refused_before_anything_starts(tmp_path: Path) -> None:
    spec = SPEC | {"cost": SPEC["cost"] | {"teacher": {"tokens": TOKENS, **PRICE}}}
    with pytest.raises(DataError, match=r"teacher\.recorded .*input_tokens"):
        record_of(write_project(tmp_path, binary(), **spec))
    missing = SPEC | {"cost": SPEC["cost"] | {"teacher": {"tokens": TOKENS | {"usage": "gone.csv"}, **PRICE}}}
    with pytest.raises(DataError, match=r"cost\.teacher\.tokens\.usage .*gone\.csv does not exist"):
        record_of(write_project(tmp_path, binary(), **missing), "other")


def test_an_old_price_is_flagged_in_record_and_report_and_still_used(tmp_path: Path) -> None:
    old = {"source": "price list", "date": (TODAY - datetime.timedelta(days=200)).isoformat()}
    spec = SPEC | {"cost": SPEC["cost"] | {"teacher": {"usd_per_million_requests": 800, **old}}}
    record = record_of(write_project(tmp_path, binary(), **spec))
    assert record.cost is not None
    assert [(each.key, each.age_days) for each in record.cost.stale] == [("cost.teacher", 200)]
    assert record.verdict.outcome is Outcome.GO
    for text in (render_html(record), render_markdown(record).replace("\\", "")):
        assert "Prices read lately" in text
        assert f"cost.teacher was read {old['date']}, 200 days before this run (at most 180)" in text
        assert "▲ Old price: " in text


@pytest.mark.parametrize(
    ("lost", "usd", "outcome", "action"),
    [(0.045, 800, Outcome.GO, Action.DEPLOY), (0.012, 150, Outcome.NO_GO, Action.KEEP_THE_TEACHER)],
    ids=["96 % at 8 ×", "99 % at 1.5 ×"],
)
def test_the_saving_must_be_worth_it(tmp_path: Path, lost: float, usd: float, outcome: Outcome, action: Action) -> None:
    """The guide's two students, under a retention of 95 % and a saving of 2 ×: 96 % of the quality at an eighth of
    the cost is worth it, 99 % at two thirds is not."""
    bar = {"quality": {"overall_margin": None, "retention": 0.95}, "cost_reduction": 2.0}
    spec = SPEC | {
        "requirements": bar,
        "cost": SPEC["cost"] | {"teacher": {"usd_per_million_requests": usd, **PRICE}},
    }
    record = record_of(write_project(tmp_path, binary(20_000, lost=lost, gained=0.05), **spec))
    values = {each.name: each.value for each in record.measurements}
    kept, saved = values["student_over_teacher_accuracy"], values["teacher_over_student_cost"]
    assert isinstance(kept, Interval)
    assert isinstance(saved, Interval)
    assert kept.point == pytest.approx(0.96 if usd == 800 else 0.99, abs=0.005)
    assert saved.point == usd / 100
    assert (record.verdict.outcome, record.verdict.recommendation.action) == (outcome, action)
    said = "it saves too little to be worth replacing the teacher" in record.verdict.recommendation.text
    assert said == (outcome is Outcome.NO_GO)
