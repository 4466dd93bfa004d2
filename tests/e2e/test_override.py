"""`evalkit override`: a person's decision is written beside the verdict, which stays as it was, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest


@pytest.fixture
def no_go(evalkit, recorded) -> Path:
    """The run folder of a NO-GO on recorded predictions."""
    gate = recorded(retention=0.99, teacher_usd=150, student_usd=100, rows=4_000, discovery=None)
    done = evalkit("check", gate.name, "--run", "runs/one", cwd=gate.parent)
    assert done.returncode == 1, done.stderr
    return gate.parent / "runs" / "one"


def override(evalkit, run: Path, outcome: str = "GO", reason: str = "pilot only", by: str = "Ada"):
    return evalkit("override", run, "--outcome", outcome, "--reason", reason, "--by", by, cwd=run.parent)


def test_both_the_verdict_and_the_override_are_kept(evalkit, no_go):
    before = {name: (no_go / name).read_bytes() for name in ("record.json", "verdict.json")}
    done = override(evalkit, no_go, reason="1 % of traffic, for a week", by="Ada, release lead")
    assert done.returncode == 0, done.stderr
    assert "GO by Ada, release lead, in place of NO-GO: 1 % of traffic, for a week" in done.stdout
    assert {name: (no_go / name).read_bytes() for name in before} == before
    stated = json.loads((no_go / "overrides" / "0001.json").read_text())
    assert (stated["outcome"], stated["of_outcome"]) == ("GO", "NO-GO")
    assert (stated["reason"], stated["by"]) == ("1 % of traffic, for a week", "Ada, release lead")
    assert stated["of_verdict_sha256"] == hashlib.sha256(before["verdict.json"]).hexdigest()
    for name in ("report.html", "report.md"):
        report = (no_go / name).read_text(encoding="utf-8")
        assert "NO-GO" in report
        assert "Overridden: ● GO" in report
        assert "Ada, release lead" in report
    again = evalkit("check", "gate.yaml", "--run", "runs/one", cwd=no_go.parent.parent)
    assert again.returncode == 1, "an override never changes the gate's own verdict or exit code"
    assert "Overridden: ● GO" in (no_go / "report.md").read_text(encoding="utf-8")
    assert override(evalkit, no_go, "inconclusive").returncode == 0
    assert sorted(path.name for path in (no_go / "overrides").iterdir()) == ["0001.json", "0002.json"]


REFUSED = {
    "error: the outcome of {run} is NO-GO already; there is nothing to override": {"outcome": "NO-GO"},
    "error: --reason is empty; an override says why and who answers for it": {"reason": " "},
    "error: --by is empty; an override says why and who answers for it": {"by": ""},
}


def test_an_override_that_says_nothing_is_refused(evalkit, no_go):
    for message, changes in REFUSED.items():
        done = override(evalkit, no_go, **changes)
        assert (done.returncode, done.stderr.strip()) == (2, message.format(run=no_go))
    assert not (no_go / "overrides").exists()


@pytest.mark.parametrize("missing", ["--outcome", "--reason", "--by"])
def test_outcome_reason_and_name_must_all_be_given(evalkit, tmp_path, missing):
    given = {"--outcome": "GO", "--reason": "why", "--by": "who"}
    options = [word for option, value in given.items() if option != missing for word in (option, value)]
    done = evalkit("override", tmp_path, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert missing in done.stderr


def test_a_run_that_never_came_to_a_verdict_cannot_be_overridden(evalkit, recorded):
    gate = recorded(retention=0.99, teacher_usd=150, student_usd=100, rows=4_000)
    (gate.parent / "student.csv").write_text("id,prediction\nrow-0,yes\n")
    assert evalkit("check", gate.name, "--run", "runs/one", cwd=gate.parent).returncode == 2
    done = override(evalkit, gate.parent / "runs" / "one")
    assert done.returncode == 2
    assert "holds no finished run (no record.json); run `evalkit check` first" in done.stderr
    assert "Traceback" not in done.stderr
