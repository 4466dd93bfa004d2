"""`evalkit plan`: from a spec and its tables to what they can answer, with and without answers that are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.planning.assumptions import assume
from evalkit.planning.plan import Plan
from evalkit.spec.loading import load_spec
from evalkit.stats.interval import Interval
from evalkit.workflow.planning import make_plan

Write = Callable[..., Path]


def changed(gate: Path, **sections: Any) -> Path:
    gate.write_text(yaml.safe_dump(yaml.safe_load(gate.read_text()) | sections))
    return gate


def planned(gate: Path) -> Plan:
    return make_plan(load_spec(gate), assume(0.0, 0.1, None, None))


def from_models(gate: Path) -> Path:
    """The same question about models that nobody needs to open for a plan."""
    return changed(gate, teacher={"load": "models/teacher"}, student={"load": "models/student"})


def test_a_set_that_can_answer_is_exit_code_0_and_its_plan_lies_beside_the_runs(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("plan", gate.name, cwd=gate.parent)
    assert done.returncode == 0, done.stderr
    assert "The held-out set can answer the question" in done.stdout
    assert "gap in channel=phone, margin 8 points" in done.stdout
    (file,) = (gate.parent / "runs").iterdir()
    digest = load_spec(gate).digest
    assert file.name == f"plan-fixture-{digest[:8]}.json"
    plan = json.loads(file.read_text())
    assert (plan["schema_version"], plan["task"], plan["spec_digest"]) == (1, "fixture", digest)
    assert {claim["subpopulation"] for claim in plan["claims"]} == {
        "all",
        "channel=phone",
        "channel=shop",
        "channel=web",
    }


def test_too_few_rows_are_exit_code_3_with_the_rows_to_add(evalkit, recorded):
    gate = recorded(retention=0.97, teacher_usd=800, student_usd=100, rows=120)
    done = evalkit("plan", gate.name, "--json", "-o", "plan.json", cwd=gate.parent)
    assert done.returncode == 3, done.stderr
    plan = json.loads(done.stdout)
    assert plan == json.loads((gate.parent / "plan.json").read_text())
    assert not (gate.parent / "runs").exists()
    weak = [claim for claim in plan["claims"] if not claim["answerable"]]
    assert weak
    assert all(claim["further_rows"] == claim["rows_80"] - claim["n"] for claim in weak)
    assert len(plan["cannot"]) == len(weak)


def test_assumptions_that_cannot_be_are_a_usage_error(evalkit, recorded):
    gate = recorded(retention=0.97, teacher_usd=800, student_usd=100, rows=300)
    done = evalkit("plan", gate.name, "--difference", "-0.2", cwd=gate.parent)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --difference is -0.2; it cannot exceed --discordance 0.1")


def test_recorded_answers_give_the_discordance_and_the_teachers_accuracy(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    folder = gate.parent
    plan = planned(gate)
    truth = pd.read_csv(folder / "held_out.csv")
    teacher, student = (
        pd.read_csv(folder / f"{role}.csv")["prediction"] == truth["label"] for role in ("teacher", "student")
    )
    assert plan.assumed.discordance_from == "observed"
    assert plan.assumed.discordance == pytest.approx((teacher != student).mean(), abs=1e-3)
    points = {each.subpopulation: each.value.point for each in plan.teacher if isinstance(each.value, Interval)}
    assert points["all"] == pytest.approx(teacher.mean())
    assert points["channel=web"] == pytest.approx(teacher[truth["channel"] == "web"].mean())


def test_with_the_teachers_answers_alone_the_discordance_stays_assumed(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    (gate.parent / "student.csv").unlink()
    plan = planned(gate)
    assert (plan.assumed.discordance, plan.assumed.discordance_from) == (0.1, "assumed")
    assert plan.assumed.teacher_accuracy_from == "observed"
    assert plan.assumed.evidence == "the teacher's answers from teacher.csv"
    assert any("student.recorded" in note and "does not exist yet" in note for note in plan.notes)


def test_nothing_recorded_needs_no_model_and_says_that_all_is_assumed(recorded: Write) -> None:
    plan = planned(from_models(recorded(retention=0.96, teacher_usd=800, student_usd=100)))
    assert plan.assumed.evidence == "nothing was recorded yet"
    assert (plan.assumed.discordance, plan.assumed.teacher_accuracy) == (0.1, 0.9)
    assert plan.teacher == ()


def test_an_earlier_run_on_the_same_rows_lends_its_answers(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    before = planned(gate)
    assert evalkit("check", gate.name, cwd=gate.parent).returncode == 0
    (run,) = (path for path in (gate.parent / "runs").iterdir() if path.is_dir())
    plan = planned(from_models(gate))
    assert f"the student's answers from run {run.name}" in plan.assumed.evidence
    assert plan.claims == before.claims

    held_out = pd.read_csv(gate.parent / "held_out.csv", dtype=str)
    held_out.iloc[::-1].to_csv(gate.parent / "held_out.csv", index=False)
    assert planned(gate).assumed.evidence == "nothing was recorded yet", "other rows are not the same rows"


def test_an_earlier_run_that_cannot_be_read_is_passed_over_and_named(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    assert evalkit("check", gate.name, cwd=gate.parent).returncode == 0
    (run,) = (path for path in (gate.parent / "runs").iterdir() if path.is_dir())
    from_models(gate)
    kept = (run / "predictions.parquet").read_bytes()
    (run / "predictions.parquet").write_bytes(kept[:100])
    plan = planned(gate)
    assert plan.assumed.evidence == "nothing was recorded yet"
    assert any(run.name in note and "predictions.parquet cannot be read" in note for note in plan.notes)

    table = pd.read_parquet(pd.io.common.BytesIO(kept))
    table.assign(row_label="no").to_parquet(run / "predictions.parquet")
    assert any("its rows had other labels" in note for note in planned(gate).notes)
    (run / "record.json").write_text("{")
    assert any("its record.json is damaged" in note for note in planned(gate).notes)


def test_groups_by_answers_that_nobody_has_given_cannot_be_planned(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    by = {"subpopulations": {"by": ["channel", "@teacher_answer"]}}
    assert {"@teacher_answer=no", "@teacher_answer=yes"} <= {
        claim.subpopulation for claim in planned(changed(gate, **by)).claims
    }
    plan = planned(from_models(gate))
    assert not plan.answerable
    assert plan.cannot[0].startswith("groups by @teacher_answer are known only once the models have answered")
    watched = changed(gate, subpopulations={"by": [{"columns": "@teacher_answer", "required": False}]})
    assert planned(watched).answerable


def test_small_groups_that_are_merged_are_listed_and_make_no_claim(recorded: Write) -> None:
    gate = recorded(retention=0.97, teacher_usd=800, student_usd=100, rows=900)
    channels = np.where(np.arange(900) < 20, "kiosk", "web")
    table = pd.read_csv(gate.parent / "held_out.csv", dtype=str).assign(channel=channels)
    table.to_csv(gate.parent / "held_out.csv", index=False)
    plan = planned(changed(gate, subpopulations={"by": ["channel"], "small": "merge"}))
    assert "channel=kiosk" not in {claim.subpopulation for claim in plan.claims}
    assert any(each.subpopulation == "channel=kiosk" and "merged into all" in each.reason for each in plan.left_out)


def test_weights_latency_and_metrics_are_each_planned_or_named(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    weights = {name: {"weight": weight} for name, weight in (("phone", 5), ("shop", 3), ("web", 2))}
    plan = planned(
        changed(
            gate,
            subpopulations={"by": [{"columns": "channel", "groups": weights}]},
            requirements={"quality": {"metrics": [{"metric": "macro_f1", "margin": 0.03}]}, "cost_reduction": 2.0},
        )
    )
    (weighted,) = (claim for claim in plan.claims if claim.subpopulation == "all, weighted by channel")
    assert weighted.answerable
    assert {each.name for each in plan.left_out} == {"student_minus_teacher_macro_f1", "teacher_over_student_cost"}


def test_a_metric_that_the_task_does_not_have_is_refused(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, rows=300)
    with pytest.raises(SpecError, match="macro_f2"):
        planned(changed(gate, requirements={"quality": {"metrics": [{"metric": "macro_f2", "margin": 0.03}]}}))


def test_every_planned_look_makes_the_bar_harder_and_the_last_one_ends_it(evalkit, recorded):
    looks = {"requirements": {"looks": {"planned": 2, "spending": "pocock"}}}
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, **looks)
    first = planned(gate)
    assert 0.95 < first.confidence < 1.0
    evalkit("check", gate.name, cwd=gate.parent)
    assert planned(gate).confidence != first.confidence
    gate = changed(gate, seed=2)
    evalkit("check", gate.name, cwd=gate.parent)
    ended = planned(gate)
    assert ended.cannot == ("all 2 planned looks at data.held_out are used (requirements.looks); hold out new rows",)


def test_a_poor_candidate_is_called_one_with_its_evidence(evalkit, recorded):
    gate = recorded(
        retention=0.96,
        teacher_usd=800,
        student_usd=300,
        requirements={"quality": {"teacher_accuracy": 0.95}},
    )
    spec = yaml.safe_load(gate.read_text())
    changed(gate, cost=spec["cost"] | {"project_usd": 10_000, "monthly_requests": 1_000_000})
    done = evalkit("plan", gate.name, cwd=gate.parent)
    assert done.returncode == 3, "a teacher below its bar cannot be shown to reach it"
    assert "poor candidate: the teacher's own error is above the bar: the teacher is right on 90." in done.stdout
    assert "poor candidate: the volume is below break-even: 10,000 USD are saved after 20,000,000" in done.stdout
    assert "20.0 months at 1,000,000 a month" in done.stdout


@pytest.fixture
def by_kind(tmp_path: Path) -> Callable[[str], Path]:
    """A project of recorded predictions of a kind: 400 units, the teacher right on 90 %, the student on 85 %."""

    def write(kind: str) -> Path:
        rng = np.random.default_rng(5)
        units, items = 400, 3 if kind == "ranking" else 1
        truth = {
            "multilabel": np.array(["a|b", "", "b"])[rng.integers(0, 3, units)],
            "generation": np.array([f"answer {number % 7}" for number in range(units)]),
            "ranking": np.tile([0.0, 2.0, 1.0], units),
        }[kind]
        ids = [f"row-{number}" for number in range(units * items)]
        columns: dict[str, Any] = {"id": ids, "text": [f"text {number}" for number in range(units * items)]}
        columns |= {"label": truth, "channel": np.repeat(np.where(np.arange(units) % 2, "web", "phone"), items)}
        spec: dict[str, Any] = {"task": {"name": "kinds", "kind": kind}, "data": {"held_out": "held_out.jsonl"}}
        if kind == "ranking":
            columns["query"] = np.repeat([f"query {number}" for number in range(units)], items)
            spec["data"]["columns"] = {"query": "query"}
        if kind == "multilabel":
            spec["task"]["labels"] = ["a", "b"]
        pd.DataFrame(columns).to_json(tmp_path / "held_out.jsonl", orient="records", lines=True)
        for role, accuracy in (("teacher", 0.9), ("student", 0.85)):
            right = np.arange(units) < accuracy * units
            if kind == "ranking":
                answers = np.where(np.repeat(right, items), truth, -truth)
            else:
                answers = np.where(right, truth, "a" if kind == "multilabel" else "nothing")
            pd.DataFrame({"id": ids, "prediction": answers}).to_json(
                tmp_path / f"{role}.jsonl", orient="records", lines=True
            )
            spec[role] = {"recorded": f"{role}.jsonl"}
        spec |= {"subpopulations": {"by": ["channel"]}, "requirements": {"cost_reduction": None}}
        path = tmp_path / "gate.yaml"
        path.write_text(yaml.safe_dump(spec))
        return path

    return write


@pytest.mark.parametrize("kind", ["multilabel", "generation", "ranking"])
def test_every_kind_of_task_is_planned_by_its_units(by_kind: Callable[[str], Path], kind: str) -> None:
    plan = planned(by_kind(kind))
    assert plan.rows == 400, "queries in ranking, rows elsewhere"
    assert plan.assumed.discordance == pytest.approx(0.05)
    assert {claim.subpopulation: claim.n for claim in plan.claims} == {
        "all": 400,
        "channel=phone": 200,
        "channel=web": 200,
    }
    (overall, *_) = plan.teacher
    assert isinstance(overall.value, Interval)
    assert overall.value.point == 0.9
    assert any(concern.name == "a broad task" for concern in plan.concerns) is (kind == "generation")


@pytest.mark.parametrize("kind", ["multilabel", "generation", "ranking"])
def test_every_kind_of_task_is_planned_before_anything_is_recorded(by_kind: Callable[[str], Path], kind: str) -> None:
    gate = by_kind(kind)
    for role in ("teacher", "student"):
        (gate.parent / f"{role}.jsonl").unlink()
    plan = planned(gate)
    assert (plan.rows, plan.assumed.evidence) == (400, "nothing was recorded yet")
    assert {claim.subpopulation for claim in plan.claims} == {"all", "channel=phone", "channel=web"}


def test_clusters_cost_power_once_both_models_have_answered(recorded: Write) -> None:
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100, rows=2000)
    table = pd.read_csv(gate.parent / "held_out.csv", dtype=str)
    table.assign(user=[f"user {number // 40}" for number in range(2000)]).to_csv(
        gate.parent / "held_out.csv", index=False
    )
    plain = planned(gate)
    plan = planned(changed(gate, data={"held_out": "held_out.csv", "columns": {"cluster": "user"}}))
    assert max(claim.design_effect for claim in plan.claims) > 1.0
    assert sum(claim.power for claim in plan.claims) < sum(claim.power for claim in plain.claims)
    assert any("2,000 rows share 50 clusters" in note for note in plan.notes)
