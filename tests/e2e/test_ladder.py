"""`evalkit ladder`: three sizes of one student, each through the gate, one of them named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from evalkit.cli.app import app
from evalkit.record.run_record import read_record
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

SIZES = "1x8,cut:0,cut:0-1,teacher"
DISTILL = {"cut_layers": [0], "epochs": 3, "batch_rows": 16, "max_length": 32, "learning_rate": 1e-3}
SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "student": {"distill": DISTILL},
    "discovery": None,
    "requirements": {"cost_reduction": None},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ladder")
    write_tiny_teacher(folder / "teacher")
    texts_and_labels(300, seed=1).to_parquet(folder / "train.parquet")
    texts_and_labels(400, seed=2).to_parquet(folder / "held_out.parquet")
    (folder / "gate.yaml").write_text(yaml.safe_dump(SPEC))
    return folder


def climbed(project: Path, *more: str) -> Result:
    """In this process: one that has torch in it already."""
    handler = signal.getsignal(signal.SIGTERM)
    asked = ["ladder", str(project / "gate.yaml"), "--sizes", SIZES, "--margin", "0.03", *more]
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, asked)
    signal.signal(signal.SIGTERM, handler)
    assert done.exit_code == 0, done.stderr
    return done


def killed_between_two_trainings(project: Path) -> dict[Path, int]:
    """What was finished when the ladder was killed, and when each stage of it was."""
    command = [sys.executable, "-m", "evalkit", "ladder", "gate.yaml", "--sizes", SIZES, "--margin", "0.03"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        ends = time.monotonic() + 200
        while not list(project.glob("runs/*/stages/student-weights/*/stage.json")):
            assert child.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    return {path: path.stat().st_mtime_ns for path in project.glob("runs/*/stages/*/*/stage.json")}


@pytest.fixture(scope="module")
def finished_before(project) -> dict[Path, int]:
    return killed_between_two_trainings(project)


@pytest.fixture(scope="module")
def made(project, finished_before) -> dict:
    return json.loads(climbed(project, "--json").stdout)


def test_a_killed_ladder_goes_on_and_every_spec_was_recorded_before_the_first_training(project, finished_before, made):
    assert {path.parent.parent.name for path in finished_before} >= {"data", "teacher-outputs", "student-weights"}
    assert {path: path.stat().st_mtime_ns for path in finished_before} == finished_before
    begun = min(path.stat().st_mtime for path in finished_before)
    for rung in made["rungs"]:
        recorded = project / "runs" / rung["run"] / "spec.json"
        assert json.loads(recorded.read_text())["digest"] == rung["spec_digest"]
        assert recorded.stat().st_mtime < begun


def test_the_smallest_that_will_do_is_named_with_its_reason(made):
    rungs = {each["name"]: each for each in made["rungs"]}
    assert [each["name"] for each in made["rungs"]] == SIZES.split(","), "from the smallest to the largest"
    sizes = [each["figures"]["parameters"] for each in made["rungs"]]
    assert sizes == sorted(sizes)
    assert made["outcome"] == "GO"
    assert made["smallest_go"]["name"] == "cut:0"
    assert rungs["cut:0"]["outcome"] == "GO"
    assert rungs["1x8"]["outcome"] != "GO"
    assert "the next smaller one, 1x8, is not" in made["smallest_go"]["reason"]
    assert made["smallest_as_good"]["name"] in ("cut:0", "cut:0-1")
    assert [each["name"] for each in made["rungs"] if each["is_control"]] == ["teacher"]


def test_what_nobody_measured_is_not_a_number(made):
    for each in made["rungs"]:
        for figure in ("p50_ms", "p99_ms", "usd_per_million"):
            assert each["figures"][figure]["reason"]
            assert "point" not in each["figures"][figure]
    assert made["objectives"] == ["accuracy", "parameters"]


def test_the_rung_that_does_not_follow_its_teacher_is_diagnosed_over_the_ladder(made):
    tiny = made["rungs"][0]["finding"]
    assert tiny["fired"]
    assert tiny["measurement"]["value"]["upper"] < 0.9
    assert "cut:0" not in tiny["explanation"], "a student cut from its teacher was not trained as one from scratch"
    cut = made["rungs"][1]["finding"]
    assert not cut["fired"]
    assert "teacher 100.0%" in cut["explanation"] or "teacher 9" in cut["explanation"]


def test_the_teachers_part_is_done_once_and_every_rung_is_a_look(project, made):
    records = [read_record(project / "runs" / each["run"]) for each in made["rungs"]]
    for record in records:
        reused = {stage.name: stage.reused for stage in record.stages}
        assert all(reused[name] for name in ("data", "teacher-model", "teacher-outputs", "student-weights"))
        assert record.signature.command == f"evalkit ladder gate.yaml --sizes {SIZES}"
    assert sorted(record.looks.number for record in records) == [1, 2, 3, 4]
    assert made["verdicts_before"] == 0
    assert all((project / "runs" / each["run"] / "report.html").is_file() for each in made["rungs"])


def test_the_same_ladder_again_does_nothing_again(project, made):
    (folder,) = project.glob("runs/tiny-ladder-*")
    stages = {path: path.stat().st_mtime_ns for path in project.glob("runs/*/stages/*/*/stage.json")}
    (folder / "ladder.json").unlink()
    said = " ".join(climbed(project).stdout.split())
    assert "The smallest that may replace the teacher: cut:0: GO" in said
    assert "fixed-sequence test from the largest rung to the smallest" in said
    assert {path: path.stat().st_mtime_ns for path in project.glob("runs/*/stages/*/*/stage.json")} == stages
    assert len((project / "runs" / "looks.jsonl").read_text().splitlines()) == 8, "no look is counted twice"
    page = (folder / "ladder.html").read_text()
    assert page.count("<svg") == 1, "size alone: no latency was measured"
    assert "as large as the teacher: a control, no candidate" in page


@pytest.mark.parametrize(
    ("sizes", "more", "said"),
    [
        ("tiny", (), "names 1 of the two rungs or more that a ladder needs"),
        ("tiny,cut:0-3", (), "cut:0-3; give rising numbers of the teacher's 3 layers"),
        ("cut:0,cut:0-1", ("--margin", "3"), "--margin is 3; give a fraction in (0, 1)"),
    ],
)
def test_a_wrong_question_is_refused_before_any_work(project, in_process, tmp_path, sizes, more, said):
    run = tmp_path / "ladder"
    refused = in_process("ladder", project / "gate.yaml", "--sizes", sizes, "--run", run, *more)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not run.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"student": {"load": "teacher"}}, "no student.distill, so there is no student to vary in size"),
        (
            {"requirements": {"quality": {"overall_margin": None}, "cost_reduction": None}},
            "say with --margin how much of the best is allowed",
        ),
        (
            {"requirements": {"cost_reduction": None, "looks": {"planned": 1}}},
            "requirements.looks plans 1 looks, 0 are used and the ladder has 2 rungs",
        ),
    ],
)
def test_a_spec_without_a_ladder_in_it_is_refused(project, in_process, changed, said):
    gate = project / "other.yaml"
    gate.write_text(yaml.safe_dump({**SPEC, **changed}))
    refused = in_process("ladder", gate, "--sizes", "cut:0,cut:0-1", "--run", project / "elsewhere" / "ladder")
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not (project / "elsewhere").exists()
