"""The whole gate on recorded predictions, in this process: policies, looks at one held-out set, code of the user's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from evalkit.decision.verdict import Outcome
from evalkit.errors import SpecError
from evalkit.record.run_record import RunRecord
from evalkit.stats.spending import confidence_at
from tests.recorded_projects import COST, Tables, binary, over, record_of, write_gate, write_project

SPEC: dict[str, Any] = {"task": {"labels": ["no", "yes"]}, "subpopulations": {"by": ["channel"]}, "cost": COST}


def outcome(gate: Path, run: str) -> tuple[Outcome, str]:
    """The outcome, and the claim that decided."""
    verdict = record_of(gate, run).verdict
    assert verdict.deciding is not None
    return verdict.outcome, verdict.deciding.requirement.measurement


def asked(record: RunRecord) -> dict[str, float]:
    """The bounds of the claims over all rows."""
    return {
        check.requirement.measurement: check.requirement.bound
        for check in record.verdict.checks
        if check.requirement.subpopulation == "all"
    }


@pytest.fixture
def gate_with_policy(tmp_path):
    """A student that loses 2.4 points: enough for some, too much for others. gate.yaml says nothing of the bar."""
    tables = binary(3_000, lost=0.035, gained=0.07)

    def write(policy: str | None, **spec: Any) -> Path:
        gate = write_project(tmp_path, tables, **SPEC)
        content = yaml.safe_load(gate.read_text())
        del content["discovery"], content["requirements"]
        gate.write_text(yaml.safe_dump({**content, **spec, "policy": policy}))
        return gate

    return write


def test_one_student_is_judged_by_each_policy_as_it_is_written(gate_with_policy):
    gate = gate_with_policy("strict")
    strict = record_of(gate, "strict")
    assert strict.verdict.outcome is Outcome.NO_GO
    assert asked(strict)["student_minus_teacher_accuracy"] == -0.01
    assert strict.looks.confidence == 0.99
    gate = gate_with_policy("balanced")
    balanced = record_of(gate, "balanced")
    assert balanced.verdict.outcome is Outcome.GO
    assert asked(balanced) == {
        "student_minus_teacher_accuracy": -0.05,
        "student_over_teacher_accuracy": 0.95,
        "teacher_over_student_cost": 2.0,
    }
    gate = gate_with_policy("exploratory")
    exploratory = record_of(gate, "exploratory")
    assert exploratory.verdict.outcome is Outcome.GO
    assert asked(exploratory)["student_over_teacher_accuracy"] == 0.9
    assert record_of(gate_with_policy(None), "none").verdict == balanced.verdict, "balanced is what holds without one"


def test_what_the_gate_says_itself_wins_over_its_policy_and_the_rest_of_the_policy_stays(gate_with_policy):
    gate = gate_with_policy("strict", requirements={"quality": {"overall_margin": 0.2, "retention": None}})
    record = record_of(gate, "mine")
    assert asked(record) == {
        "student_minus_teacher_accuracy": -0.2,
        "teacher_over_student_cost": 2.0,
    }
    assert {group.margin for group in record.groups} == {0.03}
    assert record.spec["requirements"]["confidence"] == 0.99
    assert record.spec["policy"] == "strict"


def test_a_policy_file_that_is_edited_makes_another_question(gate_with_policy):
    gate = gate_with_policy("ours.yaml")
    (gate.parent / "ours.yaml").write_text("requirements: {quality: {overall_margin: 0.01, retention: 0.9}}\n")
    assert outcome(gate, "one") == (Outcome.NO_GO, "student_minus_teacher_accuracy")
    (gate.parent / "ours.yaml").write_text("requirements: {quality: {overall_margin: 0.05, retention: 0.9}}\n")
    assert outcome(gate, "two")[0] is Outcome.GO
    assert record_of(gate, "two").looks.number == 2, "and another look at the same rows"


@pytest.mark.parametrize("spending", ["pocock", "obrien_fleming"])
def test_planned_looks_grant_what_they_may_and_the_one_after_the_last_is_never_go(tmp_path, spending):
    tables = binary(8_000, lost=0.0, gained=0.02)
    plan = over(SPEC, {"requirements": {"looks": {"planned": 2, "spending": spending}}})
    gate = write_project(tmp_path, tables, **plan)
    records = []
    for number in (1, 2, 3):
        other = tables.losing(np.arange(8_000) == number, 1.0)
        write_project(tmp_path, other, **plan)
        records.append(record_of(gate, f"look {number}"))
    assert [record.looks.confidence for record in records] == [
        confidence_at(1, 2, 0.95, spending),
        confidence_at(2, 2, 0.95, spending),
        None,
    ]
    assert [record.verdict.outcome for record in records] == [Outcome.GO, Outcome.GO, Outcome.INCONCLUSIVE]
    levels = {each.value.level for each in records[0].measurements if each.name == "student_minus_teacher_accuracy"}
    assert list(levels) == pytest.approx([2 * confidence_at(1, 2, 0.95, spending) - 1])
    assert records[2].verdict.deciding.requirement.measurement == "unspent_error"
    events = [json.loads(line)["event"] for line in (tmp_path / "runs" / "looks.jsonl").read_text().splitlines()]
    assert events == ["opened", "decided"] * 3
    write_gate(tmp_path, **over(plan, {"requirements": {"looks": {"planned": 3}}}))
    with pytest.raises(SpecError, match="a plan holds from the first look to the last"):
        record_of(gate, "another plan")


def test_an_own_metric_is_measured_anew_in_every_run_because_its_code_may_have_changed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "metric_that_changes.py"
    module.write_text(
        "def right(truth, predicted, _):\n    return sum(map(str.__eq__, truth, predicted)) / len(truth)\n"
    )
    spec = {"requirements": {"quality": {"metrics": [{"metric": "metric_that_changes:right", "margin": 0.05}]}}}
    gate = write_project(tmp_path, binary(600), **over(SPEC, spec))
    first = record_of(gate)
    assert first.verdict.outcome is Outcome.GO
    again = record_of(gate)
    assert again.measurements == first.measurements, "the same code gives the same figures"
    import metric_that_changes

    monkeypatch.setattr(metric_that_changes, "right", lambda *_: float("nan"))
    assert record_of(gate).verdict.outcome is Outcome.INCONCLUSIVE


def test_without_code_of_the_users_a_second_run_finds_every_stage_finished(tmp_path):
    gate = write_project(tmp_path, binary(600), **SPEC)
    record_of(gate)
    assert all(stage.reused for stage in record_of(gate).stages)


def test_a_bad_group_cannot_be_hidden_by_a_weight_of_0(tmp_path):
    tables: Tables = binary(2_000)
    tables = tables.losing(tables.held_out["channel"] == "web", 0.3)
    groups = {"web": {"weight": 0, "required": False}, "phone": {"weight": 1}, "shop": {"weight": 1}}
    spec = over(SPEC, {"subpopulations": {"by": [{"columns": "channel", "groups": groups}]}})
    record = record_of(write_project(tmp_path, tables, **spec))
    assert record.verdict.outcome is Outcome.NO_GO
    assert record.verdict.deciding.requirement.subpopulation == "all"
