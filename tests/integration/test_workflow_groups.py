"""The whole gate on recorded predictions, in this process: for whom it is judged, and what the spec says of whom."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.decision.check import CheckOutcome
from evalkit.decision.verdict import Outcome
from evalkit.errors import DataError
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Interval
from tests.recorded_projects import Tables, binary, record_of, with_probabilities, write_gate, write_project

TASK = {"labels": ["no", "yes"]}
GAP = "student_minus_teacher_accuracy"


def by(*groupings: Any, **policy: Any) -> dict[str, Any]:
    return {"by": list(groupings), **policy}


def sizes(record: RunRecord) -> dict[str, int]:
    return {group.name: group.n for group in record.groups}


def value_of(record: RunRecord, where: str, name: str = GAP) -> Any:
    (found,) = (each.value for each in record.measurements if (each.name, each.subpopulation) == (name, where))
    return found


def check_of(record: RunRecord, where: str, name: str = GAP) -> Any:
    (found,) = (
        check
        for check in record.verdict.checks
        if (check.requirement.measurement, check.requirement.subpopulation) == (name, where)
    )
    return found


def test_every_way_of_grouping_holds_each_row_exactly_once(tmp_path):
    tables = with_probabilities(binary(1_200))
    rng = np.random.default_rng(8)
    age = rng.integers(18, 90, 1_200).astype(float)
    age[:70] = np.nan
    tables = tables.with_columns(
        age=age, income=rng.lognormal(8, 1, 1_200), language=rng.choice(["de", "en", None], 1_200)
    )
    groupings = (
        "channel",
        "language",
        ["language", "channel"],
        {"columns": "age", "bins": [30, 65]},
        {"columns": "income", "quantiles": 5},
        {"columns": ["channel", "age"], "bins": {"age": [50]}},
        {"columns": ["income", "channel"], "quantiles": {"income": 2}},
        "@text_length",
        "@label",
        "@teacher_answer",
        "@teacher_confidence",
        "@student_confidence",
    )
    gate = write_project(tmp_path, tables, task=TASK, subpopulations=by(*groupings))
    record = record_of(gate)
    per_grouping: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for name, n in sizes(record).items():
        per_grouping[tuple(part.split("=")[0] for part in name.split(", ") if "=" in part)] += n
    assert set(per_grouping.values()) == {1_200}
    assert len(per_grouping) == len(groupings)
    found = sizes(record)
    rows = tables.held_out
    assert found["language=(missing)"] == rows["language"].isna().sum() > 0
    assert found["age=(missing)"] == 70
    assert found["age=[30, 65)"] == ((rows["age"] >= 30) & (rows["age"] < 65)).sum()
    assert found["channel=web, age=≥50"] == ((rows["channel"] == "web") & (rows["age"] >= 50)).sum()
    assert [n for name, n in found.items() if name.startswith("income=") and "channel" not in name] == [240] * 5
    assert found["@label=yes"] == (rows["label"] == "yes").sum()
    confidence = tables.teacher[["probability_no", "probability_yes"]].max(axis=1)
    quarters = [n for name, n in found.items() if name.startswith("@teacher_confidence=")]
    assert quarters == pd.qcut(confidence, 4).value_counts(sort=False).tolist()
    gaps = {each.subpopulation for each in record.measurements if each.name == GAP}
    assert gaps == {"all", *found}, "what is listed is measured"


def test_a_group_too_few_for_minimum_rows_cannot_pass_however_good_it_is(tmp_path):
    gate = write_project(
        tmp_path, binary(2_000), task=TASK, subpopulations=by("channel"), requirements={"quality": {"retention": 0.9}}
    )
    assert record_of(gate, "without").verdict.outcome is Outcome.GO
    write_gate(tmp_path, task=TASK, subpopulations=by("channel", minimum_rows=668))
    record = record_of(gate, "with")
    few = [name for name, n in sizes(record).items() if n < 668]
    assert 0 < len(few) < 3
    assert record.verdict.outcome is Outcome.INCONCLUSIVE
    for name, n in sizes(record).items():
        check = check_of(record, name)
        assert check.outcome is (CheckOutcome.OPEN if name in few else CheckOutcome.PASSED)
        assert (check.requirement.rows_short, isinstance(value_of(record, name), Interval)) == (max(0, 668 - n), True)
        assert name not in few or check.further_needed == 668 - n
    assert {each.name: each.reason for each in record.too_small} == dict.fromkeys(few, "minimum_rows")
    write_gate(tmp_path, task=TASK, subpopulations=by("channel", minimum_rows=668, small="merge"))
    merged = record_of(gate, "merged")
    assert merged.verdict.outcome is Outcome.GO
    assert {group.name for group in merged.groups if group.merged_into == "all"} == set(few)
    assert {check_of(merged, name).outcome for name in few} == {CheckOutcome.MERGED}
    write_gate(tmp_path, task=TASK, subpopulations=by("channel", minimum_rows=668, small="block"))
    with pytest.raises(DataError, match=r"lower subpopulations\.minimum_rows"):
        record_of(gate, "blocked")


def test_a_group_that_is_plainly_lost_is_no_go_on_however_few_rows(tmp_path):
    """31 of 31 rows: too few to pass, for the margin and for the minimum alike, and enough to fail."""
    channel = np.where(np.arange(1_500) < 31, "fax", "web")
    tables = binary(1_500).with_columns(channel=channel).losing(channel == "fax", 1.0)
    quality = {"overall_margin": None, "retention": None}
    gate = write_project(tmp_path, tables, task=TASK, requirements={"quality": quality})
    for small in ("inconclusive", "merge"):
        for fewest in (1, 500, 1_501):
            subpopulations = by("channel", small=small, minimum_rows=fewest)
            write_gate(tmp_path, task=TASK, requirements={"quality": quality}, subpopulations=subpopulations)
            record = record_of(gate, f"{small} {fewest}")
            assert record.verdict.outcome is Outcome.NO_GO
            assert record.verdict.deciding.requirement.subpopulation == "channel=fax"
            assert check_of(record, "channel=fax").outcome is CheckOutcome.FAILED
            assert {each.subpopulation for each in record.examples} == {"channel=fax"}
            if small == "merge":
                (finding,) = record.findings
                assert finding.fired
                assert finding.measurement.subpopulation == "channel=fax"


def test_a_metric_of_a_group_that_is_merged_can_fail_too(tmp_path):
    channel = np.where(np.arange(1_500) < 60, "fax", "web")
    lost = (channel == "fax") & (np.arange(1_500) % 10 > 0)
    tables = binary(1_500).with_columns(channel=channel).losing(lost, 1.0)
    metric = {"metric": "macro_f1", "margin": 0.1, "subpopulations": True}
    quality = {"overall_margin": None, "subpopulation_margin": None, "retention": None, "metrics": [metric]}
    gate = write_project(
        tmp_path,
        tables,
        task=TASK,
        requirements={"quality": quality},
        subpopulations=by("channel", small="merge", minimum_rows=100),
    )
    record = record_of(gate)
    (fax,) = (check for check in record.verdict.checks if check.requirement.subpopulation == "channel=fax")
    assert (fax.requirement.merged_into, fax.outcome) == ("all", CheckOutcome.FAILED)
    assert record.verdict.outcome is Outcome.NO_GO


def bad_on_the_web(rows: int = 3_000, web: float = 0.15) -> Tables:
    tables = binary(rows)
    channel = np.where(np.random.default_rng(9).random(rows) < web, "web", "shop")
    return tables.with_columns(channel=channel).losing(channel == "web", 0.25)


def test_weights_of_production_turn_a_tolerable_average_into_a_broken_one(tmp_path):
    tables = bad_on_the_web()
    watched = {"web": {"required": False, "weight": 0.7}, "shop": {"weight": 0.3}}
    spec: dict[str, Any] = {"task": TASK, "requirements": {"quality": {"retention": None}}}
    gate = write_project(tmp_path, tables, **spec)
    assert record_of(gate, "as held out").verdict.outcome is Outcome.GO
    write_gate(tmp_path, **spec, subpopulations=by({"columns": "channel", "groups": watched}))
    record = record_of(gate, "as in production")
    where = "all, weighted by channel"
    assert record.verdict.outcome is Outcome.NO_GO
    assert record.verdict.deciding.requirement.subpopulation == where
    table = pd.read_parquet(tmp_path / "runs" / "as in production" / "predictions.parquet")
    gain = (table["student"] == table["row_label"]).astype(int) - (table["teacher"] == table["row_label"])
    means = gain.groupby(table["channel"]).mean()
    assert value_of(record, where).point == pytest.approx(0.7 * means["web"] + 0.3 * means["shop"], abs=1e-12)
    assert check_of(record, "all").outcome is CheckOutcome.PASSED
    # Any unit will do.
    in_percent = {"web": {"required": False, "weight": 70}, "shop": {"weight": 30}}
    write_gate(tmp_path, **spec, subpopulations=by({"columns": "channel", "groups": in_percent}))
    assert value_of(record_of(gate, "in percent"), where) == value_of(record, where)


def test_the_policy_of_one_value_holds_for_that_value_alone(tmp_path):
    tables = bad_on_the_web()
    spec: dict[str, Any] = {"task": TASK, "requirements": {"quality": {"retention": None}}}
    gate = write_project(tmp_path, tables, **spec, subpopulations=by("channel"))
    strict = record_of(gate, "strict")
    assert strict.verdict.outcome is Outcome.NO_GO
    assert strict.verdict.deciding.requirement.subpopulation == "channel=web"
    for run, policy, outcome in (
        ("watched", {"required": False}, CheckOutcome.FAILED),
        ("wider", {"margin": 0.4}, CheckOutcome.PASSED),
    ):
        write_gate(tmp_path, **spec, subpopulations=by({"columns": "channel", "groups": {"web": policy}}))
        record = record_of(gate, run)
        assert record.verdict.outcome is Outcome.GO
        assert check_of(record, "channel=web").outcome is outcome
        assert check_of(record, "channel=shop") == check_of(strict, "channel=shop")
        (web,) = (group for group in record.groups if group.name == "channel=web")
        assert (web.required, web.margin) == (policy.get("required", True), policy.get("margin", 0.08))
    # Of a cross the value is named as the report names it, and the grouping's own margin holds for the others.
    crossed = {"columns": ["channel", "@label"], "margin": 0.3, "groups": {"web, yes": {"margin": 0.02}}}
    write_gate(tmp_path, **spec, subpopulations=by(crossed))
    record = record_of(gate, "crossed")
    assert record.verdict.deciding.requirement.subpopulation == "channel=web, @label=yes"
    assert {group.name: group.margin for group in record.groups} == {
        "channel=shop, @label=no": 0.3,
        "channel=shop, @label=yes": 0.3,
        "channel=web, @label=no": 0.3,
        "channel=web, @label=yes": 0.02,
    }


def test_groups_that_the_answers_make_are_blocked_once_they_are_known(tmp_path):
    tables = with_probabilities(binary(600))
    sure = np.where(np.arange(600) < 590, 0.7, 0.99)
    right = tables.teacher["prediction"] == "yes"
    yes = np.where(right, sure, 1 - sure)
    teacher = tables.teacher.assign(probability_no=1 - yes, probability_yes=yes)
    confident = {"columns": "@teacher_confidence", "bins": [0.9]}
    gate = write_project(
        tmp_path,
        Tables(held_out=tables.held_out, teacher=teacher, student=tables.student),
        task=TASK,
        subpopulations=by(confident, small="block"),
    )
    with pytest.raises(DataError, match=r"@teacher_confidence=≥0\.9 has 10 rows, needs 32"):
        record_of(gate)


def test_names_that_read_like_ours_or_like_nothing_on_earth_are_judged_as_any_other(tmp_path):
    words = ["電話", "<b>a|b</b>", "a, b=c", "  ", "NA", "null", "1", "01", "1.0", "\N{PILE OF POO}", "(missing)"]
    column = np.array(words, dtype=object)[np.arange(2_200) % len(words)]
    tables = binary(2_200).with_columns(**{"столбец | x": column, "verdict": column, "measurement": "all"})
    gate = write_project(
        tmp_path, tables, task=TASK, subpopulations=by("столбец | x", "verdict", "measurement"), discovery={}
    )
    record = record_of(gate)
    found = sizes(record)
    for word in words:
        assert found[f"столбец | x={'(empty)' if word == '  ' else word}"] == 200
    assert found["measurement=all"] == 2_200
    assert record.verdict.outcome is Outcome.GO
