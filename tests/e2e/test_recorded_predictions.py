"""The gate on recorded predictions and stated prices: no model is opened, the verdict is a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml


def only_run(project: Path) -> Path:
    (run,) = (path for path in (project / "runs").iterdir() if path.is_dir())
    return run


def test_96_percent_of_the_quality_at_8_times_cheaper_is_go_under_the_default_policy(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("check", gate.name, cwd=gate.parent)
    assert done.returncode == 0, done.stderr
    assert "\nGO: " in done.stdout
    assert "DEPLOY" in done.stdout


def test_99_percent_of_the_quality_at_1_5_times_cheaper_is_no_go_under_the_default_policy(evalkit, recorded):
    gate = recorded(retention=0.99, teacher_usd=150, student_usd=100)
    done = evalkit("check", gate.name, cwd=gate.parent)
    assert done.returncode == 1, done.stderr
    assert "NO-GO: a request is 1.50 to 1.50 × cheaper; required 2 ×" in done.stdout
    assert "KEEP THE TEACHER" in done.stdout


def test_the_verdict_flips_when_the_bar_is_moved_and_nothing_else(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)

    def outcome(bar: float) -> str:
        spec = yaml.safe_load(gate.read_text()) | {"requirements": {"quality": {"retention": bar}}}
        gate.write_text(yaml.safe_dump(spec))
        return json.loads(evalkit("check", gate.name, "--json", cwd=gate.parent).stdout)["outcome"]

    assert outcome(0.95) == "GO"
    measurements = json.loads((only_run(gate.parent) / "record.json").read_text())["measurements"]
    (kept,) = (each["value"]["point"] for each in measurements if each["name"] == "student_over_teacher_accuracy")
    assert outcome(round(kept, 4)) == "INCONCLUSIVE", "a bar at the estimate itself is neither reached nor missed"
    assert outcome(0.98) == "NO-GO"


def test_too_few_rows_are_inconclusive_and_say_how_many_more_decide(evalkit, recorded):
    gate = recorded(retention=0.97, teacher_usd=800, student_usd=100, rows=600)
    done = evalkit("check", gate.name, "--json", cwd=gate.parent)
    assert done.returncode == 3, done.stderr
    verdict = json.loads(done.stdout)
    still_open = [check for check in verdict["checks"] if check["outcome"] == "open"]
    assert all(check["further_needed"] > 0 for check in still_open)
    assert verdict["recommendation"]["action"] == "COLLECT"
    assert verdict["recommendation"]["needs"][0]["units"] > 0


def test_accuracies_recomputed_with_pandas_alone_equal_the_record(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    evalkit("check", gate.name, cwd=gate.parent)
    run = only_run(gate.parent)
    table = pd.read_parquet(run / "predictions.parquet")
    by_channel = {f"channel={name}": rows for name, rows in table.groupby("channel")}
    measured = {
        (each["name"], each["subpopulation"]): each["value"]
        for each in json.loads((run / "record.json").read_text())["measurements"]
    }
    for name, rows in {"all": table, **by_channel}.items():
        teacher = (rows["teacher"] == rows["row_label"]).mean()
        student = (rows["student"] == rows["row_label"]).mean()
        assert measured["teacher_accuracy", name]["point"] == pytest.approx(teacher, abs=1e-12)
        assert measured["student_accuracy", name]["point"] == pytest.approx(student, abs=1e-12)
        assert measured["student_minus_teacher_accuracy", name]["point"] == pytest.approx(student - teacher, abs=1e-12)
        assert measured["student_minus_teacher_accuracy", name]["n"] == len(rows)


def test_json_is_alone_on_standard_output(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("check", gate.name, "--json", cwd=gate.parent)
    assert json.loads(done.stdout)["outcome"] == "GO"
    assert "recorded in" in done.stderr


def test_the_spec_digest_is_written_before_anything_is_evaluated(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    (gate.parent / "student.csv").write_text("id,prediction\nrow-0,yes\n")
    done = evalkit("check", gate.name, cwd=gate.parent)
    assert done.returncode == 2
    run = only_run(gate.parent)
    assert json.loads((run / "spec.json").read_text())["digest"][:8] == run.name[-8:]
    assert not (run / "verdict.json").exists()


def test_a_report_is_made_again_from_the_record_alone(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    evalkit("check", gate.name, cwd=gate.parent)
    run = only_run(gate.parent)
    first = (run / "report.html").read_text()
    for path in (run / "report.html", run / "predictions.parquet", gate, gate.parent / "teacher.csv"):
        path.unlink()
    assert evalkit("report", run, cwd=gate.parent).returncode == 0
    assert (run / "report.html").read_text() == first
    assert evalkit("report", run, "--format", "md", cwd=gate.parent).stdout.count("channel=phone") >= 1
    assert json.loads(evalkit("report", run, "--format", "json", cwd=gate.parent).stdout)["schema_version"] == 3
