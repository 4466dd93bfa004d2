"""The second student is judged on rows that have been looked at: counted always, corrected for where it was planned."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import yaml

from evalkit.stats.spending import confidence_at


def another_student(project: Path, row: int) -> None:
    """One answer of the student's is turned round: another version, and about the same quality."""
    table = pd.read_csv(project / "student.csv")
    table.loc[row, "prediction"] = {"no": "yes", "yes": "no"}[table.loc[row, "prediction"]]
    table.to_csv(project / "student.csv", index=False)


def looks(project: Path, run: str) -> dict:
    return json.loads((project / "runs" / run / "record.json").read_text())["looks"]


def test_beyond_the_planned_looks_nothing_is_go(evalkit, recorded):
    gate = recorded(
        retention=0.99,
        teacher_usd=800,
        student_usd=100,
        rows=4_000,
        discovery=None,
        requirements={"looks": {"planned": 2}},
    )
    project = gate.parent
    codes = []
    for number in (1, 2, 3):
        done = evalkit("check", gate.name, "--run", f"runs/{number}", cwd=project)
        codes.append(done.returncode)
        another_student(project, number)
    assert codes == [0, 0, 3], done.stderr
    assert "no error is left to spend; hold out new rows" in " ".join(done.stdout.split())
    assert [looks(project, run)["number"] for run in "123"] == [1, 2, 3]
    granted = [looks(project, run)["confidence"] for run in "123"]
    assert granted == [confidence_at(1, 2, 0.95, "pocock"), confidence_at(2, 2, 0.95, "pocock"), None]
    assert [look["outcomes"] for look in looks(project, "3")["earlier"]] == [["GO"], ["GO"]]

    spec = yaml.safe_load(gate.read_text()) | {"requirements": {"looks": {"planned": 9}}}
    gate.write_text(yaml.safe_dump(spec))
    done = evalkit("check", gate.name, "--run", "runs/4", cwd=project)
    assert done.returncode == 2
    assert "a plan holds from the first look to the last: restore it, or hold out new rows" in done.stderr


def test_the_same_run_again_is_the_same_look(evalkit, recorded):
    gate = recorded(retention=0.99, teacher_usd=800, student_usd=100, rows=4_000, discovery=None)
    for run in ("one", "one", "two"):
        assert evalkit("check", gate.name, "--run", f"runs/{run}", cwd=gate.parent).returncode == 0
    assert looks(gate.parent, "one") == looks(gate.parent, "two")
    assert looks(gate.parent, "two")["number"] == 1
    events = [json.loads(line)["event"] for line in (gate.parent / "runs" / "looks.jsonl").read_text().splitlines()]
    assert events == ["opened", "decided"]


def test_a_damaged_ledger_stops_the_gate_before_it_judges(evalkit, recorded):
    gate = recorded(retention=0.99, teacher_usd=800, student_usd=100, rows=4_000, discovery=None)
    ledger = gate.parent / "runs" / "looks.jsonl"
    ledger.parent.mkdir()
    ledger.write_text('{"event": "opened", "quest\n')
    done = evalkit("check", gate.name, "--run", "runs/one", cwd=gate.parent)
    assert done.returncode == 2
    assert f"{ledger} is damaged in line 1; mend that line or restore the file" in done.stderr
    assert not (gate.parent / "runs" / "one" / "verdict.json").exists()
    assert ledger.read_text() == '{"event": "opened", "quest\n'
