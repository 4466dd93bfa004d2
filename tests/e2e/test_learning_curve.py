"""`evalkit learning-curve`: students on nested parts of the training rows, and the rows that the bar takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from evalkit.record.stages import file_digest
from evalkit.spec.gate import Columns
from evalkit.workflow.curving import asked_curve
from serving.manifest import model_version, read_manifest
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

DISTILL = {
    "encoder": {"layers": 1, "width": 32, "heads": 2},
    "epochs": 3,
    "batch_rows": 16,
    "max_length": 32,
    "learning_rate": 1.5e-3,
}
SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "student": {"distill": DISTILL},
    "requirements": {"cost_reduction": None},
}
SHARES = ("--shares", "30,60,100")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("curve")
    write_tiny_teacher(root / "teacher")
    train = texts_and_labels(700, seed=1)
    train.loc[::10, "label"] = None
    train.to_parquet(root / "train.parquet")
    texts_and_labels(300, seed=2).to_parquet(root / "held_out.parquet")
    (root / "gate.yaml").write_text(yaml.safe_dump(SPEC))
    return root


def with_spec(project: Path, name: str, **changed) -> Path:
    path = project / name
    path.write_text(yaml.safe_dump({**SPEC, **changed}))
    return path


def test_more_rows_help_the_curve_says_so_and_a_second_call_trains_only_what_is_new(project, in_process):
    first = in_process("learning-curve", project / "gate.yaml", *SHARES, "--run", project / "runs" / "a")
    assert first.exit_code == 0, first.stderr
    assert "The held-out set is not scored, so that no look at it is used" in " ".join(first.stdout.split())
    assert not (project / "runs" / "looks.jsonl").exists()
    again = in_process(
        "learning-curve", project / "gate.yaml", "--shares", "30,45,60,100", "--json", "--run", project / "runs" / "a"
    )
    assert again.exit_code == 0, again.stderr
    found = [line.partition(":")[0] for line in again.stderr.splitlines() if "found finished" in line]
    assert {"curve-30", "curve-60", "curve-100"} <= set(found)
    assert "curve-45" not in found

    curve = json.loads(again.stdout)
    assert curve == json.loads((project / "runs" / "a" / "curve.json").read_text())
    points = curve["reading"]["points"]
    assert [each["rows"] for each in points] == [172, 258, 344, 574]
    assert curve["rows_at_hand"] == 574
    assert curve["measured_on"]["rows"] == 126  # a fifth of the 630 labelled rows
    assert points[-1]["gap"]["lower"] > points[0]["gap"]["upper"]
    assert curve["reading"]["per_doubling"]["lower"] > 0
    assert (project / "runs" / "a" / "curve.svg").read_text().startswith("<svg")
    assert "How much data?" in (project / "runs" / "a" / "curve.html").read_text()


def test_a_teacher_that_knows_the_measured_rows_is_taken_as_an_earlier_run_has_it(project, in_process):
    run = project / "runs" / "b"
    assert in_process("learning-curve", project / "gate.yaml", *SHARES, "--run", run).exit_code == 0
    own = json.loads((run / "curve.json").read_text())
    assert own["teacher_elsewhere"] is None
    (model,) = run.glob("stages/teacher-model/*/model")
    accuracy = {"point": 0.8, "lower": 0.77, "upper": 0.83, "level": 0.9, "n": 300, "method": "planted"}
    record = {
        "signature": {
            "decided_at": "2026-11-24T00:00:00Z",
            "data_digests": {"held_out": file_digest(project / "held_out.parquet")},
            "model_versions": {"teacher": model_version(read_manifest(model))},
        },
        "spec": {"data": {"columns": Columns().model_dump(mode="json")}},
        "measurements": [{"name": "teacher_accuracy", "subpopulation": "all", "value": accuracy}],
    }
    (project / "runs" / "earlier").mkdir()
    (project / "runs" / "earlier" / "record.json").write_text(json.dumps(record))
    done = in_process("learning-curve", project / "gate.yaml", *SHARES, "--run", run)
    assert "it has learnt the measured rows" in " ".join(done.stdout.split())
    against = json.loads((run / "curve.json").read_text())
    taught = own["measured_on"]["teacher"]["point"]
    for one, other in zip(own["reading"]["points"], against["reading"]["points"], strict=True):
        assert other["gap"]["point"] == pytest.approx(one["gap"]["point"] + taught - 0.8)

    cut = {"cut_layers": [0], "epochs": 1, "batch_rows": 16, "max_length": 32}
    spec = with_spec(project, "cut.yaml", student={"distill": cut})
    handed_on = in_process("learning-curve", spec, *SHARES, "--json", "--run", project / "runs" / "cut")
    reading = json.loads(handed_on.stdout)["reading"]
    assert reading["answer"] == "unknown"
    assert "the student starts from its weights" in reading["needed"]["reason"]


def test_a_table_of_its_own_leaves_every_training_row_to_train_on(project, in_process):
    texts_and_labels(150, seed=3).to_parquet(project / "others.parquet")
    asked = ("--measure-on", project / "others.parquet", *SHARES, "--run", project / "runs" / "c", "--json")
    done = in_process("learning-curve", project / "gate.yaml", *asked)
    assert done.exit_code == 0, done.stderr
    curve = json.loads(done.stdout)
    assert curve["rows_at_hand"] == 700
    assert (curve["measured_on"]["source"], curve["measured_on"]["rows"]) == ("others.parquet", 150)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shares", "0,50,100"), "--shares has 0; give percentages above 0"),
        (("--shares", "10,50,101"), "--shares has 101; give percentages above 0"),
        (("--shares", "50,100,100"), "--shares has 2 different sizes; a curve needs 3"),
        (("--shares", "ten"), "--shares is 'ten'; give percentages"),
        (("--seeds", "0"), "--seeds is 0; give 1 to 100"),
        (("--shares", "1,50,100"), "1 % of the rows to train on (6) does not fill a step of 16"),
        (("--measure-on", "held_out.parquet"), "300 texts of --measure-on held_out.parquet stand in data.held_out too"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_line(project, in_process, monkeypatch, arguments, said):
    monkeypatch.chdir(project)
    refused = in_process("learning-curve", "gate.yaml", *arguments, "--run", project / "runs" / "a")
    assert refused.exit_code == 2
    (line,) = [each for each in refused.stderr.splitlines() if each.startswith("error: ")]
    assert said in line


def test_nothing_to_train_no_bar_and_too_few_labels_are_refused(project, in_process):
    given = with_spec(project, "given.yaml", student={"load": "teacher2"})
    assert (
        "given.yaml has no student.distill, so more rows change nothing" in in_process("learning-curve", given).stderr
    )
    no_bar = with_spec(
        project,
        "no_bar.yaml",
        requirements={"cost_reduction": None, "quality": {"overall_margin": None}},
    )
    assert "overall_margin is null, so there is no bar" in in_process("learning-curve", no_bar).stderr
    few = texts_and_labels(600, seed=1)
    few.loc[np.arange(len(few)) >= 400, "label"] = None
    few.to_parquet(project / "few.parquet")
    spec = with_spec(project, "few.yaml", data={"train": "few.parquet", "held_out": "held_out.parquet"})
    refused = in_process("learning-curve", spec)
    assert refused.exit_code == 2
    assert "20% of the 400 labelled rows of data.train are 80 rows to measure the learning curve on" in refused.stderr
    one = texts_and_labels(600, seed=1).assign(label=LABELS[0])
    one.to_parquet(project / "one.parquet")
    spec = with_spec(project, "one.yaml", data={"train": "one.parquet", "held_out": "held_out.parquet"})
    refused = in_process("learning-curve", spec)
    assert refused.exit_code == 2
    assert "all 120 measured rows of data.train have one label" in refused.stderr


def test_sizes_are_sorted_and_counted_once():
    assert asked_curve([100, 10, 50, 10], seeds=3).shares == (0.1, 0.5, 1.0)
