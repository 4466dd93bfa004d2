"""Bad input: one line that names the thing, the value, the rule and the remedy; exit code 2; nothing written over."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml


def edit(gate: Path, change: Callable[[dict], object]) -> None:
    spec = yaml.safe_load(gate.read_text())
    change(spec)
    gate.write_text(yaml.safe_dump(spec))


def rewrite(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(path)).to_csv(path, index=False)


def with_train(gate: Path, texts: list[str]) -> None:
    pd.DataFrame({"text": texts, "label": "no"}).to_csv(gate.parent / "train.csv", index=False)
    edit(gate, lambda spec: spec["data"].update(train="train.csv"))


def held_out(gate: Path) -> Path:
    return gate.parent / "held_out.csv"


CASES = {
    "an unknown key": (
        lambda gate: edit(gate, lambda spec: spec["data"].update(heldout="x.csv")),
        "unknown key 'heldout'; did you mean 'held_out'?",
    ),
    "a margin of 5": (
        lambda gate: edit(gate, lambda spec: spec.update(requirements={"quality": {"overall_margin": 5}})),
        "requirements.quality.overall_margin is 5: Input should be less than 1",
    ),
    "a missing column": (
        lambda gate: edit(gate, lambda spec: spec["subpopulations"].update(by=["chanel"])),
        "data.held_out has no column 'chanel'; it has id, text, label, channel",
    ),
    "an empty held-out set": (
        lambda gate: rewrite(held_out(gate), lambda rows: rows.head(0)),
        "data.held_out has no rows",
    ),
    "a label nobody named": (
        lambda gate: edit(gate, lambda spec: spec["task"].update(labels=["no", "maybe"])),
        "holds labels that task.labels does not name: yes",
    ),
    "duplicate ids": (
        lambda gate: rewrite(held_out(gate), lambda rows: rows.assign(id="same")),
        "has 19999 duplicate ids (first: same)",
    ),
    "leakage": (
        lambda gate: with_train(gate, ["TEXT  number 7", "text number 8", "new"]),
        "2 of 20000 held-out texts (0.01%) also stand in data.train; data.max_leakage allows 0.00%",
    ),
    "a subpopulation below its feasibility floor": (
        lambda gate: (
            rewrite(held_out(gate), lambda rows: rows.assign(channel=["rare"] * 10 + rows["channel"].tolist()[10:])),
            edit(gate, lambda spec: spec["subpopulations"].update(small="block")),
        ),
        "channel=rare has 10 rows, needs 32",
    ),
    "missing predictions": (
        lambda gate: rewrite(gate.parent / "student.csv", lambda rows: rows.iloc[5:]),
        "pairing incomplete: student.recorded has no prediction for 5 of 20000 held-out rows (first: row-0)",
    ),
    "teacher and student in one file": (
        lambda gate: shutil.copy(gate.parent / "teacher.csv", gate.parent / "student.csv"),
        "teacher and student are the same file",
    ),
    "a missing file": (
        lambda gate: held_out(gate).unlink(),
        "held_out.csv does not exist",
    ),
    "a cost bar without prices": (
        lambda gate: edit(gate, lambda spec: spec.pop("cost")),
        "requirements.cost_reduction is 2 but there is no cost section",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_line_and_exit_code_2(case, evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    spoil, message = CASES[case]
    spoil(gate)
    done = evalkit("check", gate.name, cwd=gate.parent)
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr
    assert not list(gate.parent.glob("runs/*/verdict.json"))


def test_a_run_folder_of_another_spec_is_refused_and_left_as_it_is(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    assert evalkit("check", gate.name, "--run", "here", cwd=gate.parent).returncode == 0
    before = (gate.parent / "here" / "verdict.json").read_bytes()
    edit(gate, lambda spec: spec.update(seed=2))
    done = evalkit("check", gate.name, "--run", "here", cwd=gate.parent)
    assert done.returncode == 2
    assert "here is the run of another spec" in done.stderr
    assert (gate.parent / "here" / "verdict.json").read_bytes() == before


@pytest.mark.parametrize("place", ["/dev/null/run", "/sys/run", "gate.yaml/run", "gate.yaml"])
def test_a_place_where_no_run_folder_can_be_is_refused_in_one_line(evalkit, recorded, place):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("check", gate.name, "--run", place, cwd=gate.parent)
    assert done.returncode == 2
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert error.endswith("give another --run folder")
    assert "Traceback" not in done.stderr


def test_a_plan_that_cannot_be_written_is_refused_in_one_line(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("plan", gate.name, "--output", "gate.yaml/plan.json", cwd=gate.parent)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the plan cannot be written to gate.yaml/plan.json (")
    assert done.stderr.endswith("; give another --output\n")


def test_a_folder_with_other_things_in_it_is_refused(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("check", gate.name, "--run", ".", cwd=gate.parent)
    assert done.returncode == 2
    assert "is not empty and not a run folder" in done.stderr


def test_a_port_in_use_is_named(evalkit, tmp_path, tiny_model_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = evalkit("serve", tiny_model_folder, "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_load_refuses_a_target_that_is_not_this_machine(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    done = evalkit("load", "http://192.0.2.1:80", "--requests", "held_out.csv", cwd=gate.parent)
    assert done.returncode == 2
    assert "is not this machine" in done.stderr


def test_init_writes_a_spec_that_only_lacks_models_and_never_writes_over_it(evalkit, recorded):
    gate = recorded(retention=0.96, teacher_usd=800, student_usd=100)
    assert evalkit("init", "held_out.csv", "-o", "new.yaml", cwd=gate.parent).returncode == 0
    spec = yaml.safe_load((gate.parent / "new.yaml").read_text())
    assert spec["task"]["labels"] == ["no", "yes"]
    assert spec["data"]["columns"] == {"id": "id", "text": "text", "label": "label"}
    assert spec["subpopulations"]["by"] == ["channel"]
    done = evalkit("check", "new.yaml", cwd=gate.parent)
    assert done.returncode == 2
    assert "models/teacher is not a folder" in done.stderr
    again = evalkit("init", "held_out.csv", "-o", "new.yaml", cwd=gate.parent)
    assert again.returncode == 2
    assert "new.yaml is already there" in again.stderr
