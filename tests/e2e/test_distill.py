"""`evalkit distill`: the training alone, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from evalkit.modelling.loading import load_classifier
from serving.manifest import read_manifest
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

DISTILL = {"cut_layers": [0], "epochs": 8, "batch_rows": 16, "max_length": 32, "checkpoint_steps": 5}
SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "student": {"distill": DISTILL},
    "cost": {
        side: {"usd_per_million_requests": 1.0, "source": "price list", "date": "2026-11-01"}
        for side in ("teacher", "student")
    },
}


@pytest.fixture
def project(tmp_path) -> Path:
    write_tiny_teacher(tmp_path / "teacher", steps=5)
    texts_and_labels(400, seed=1).to_parquet(tmp_path / "train.parquet")
    texts_and_labels(300, seed=2).to_parquet(tmp_path / "held_out.parquet")
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(SPEC))
    return tmp_path


def kill_when_there(project: Path, pattern: str) -> None:
    command = [sys.executable, "-m", "evalkit", "distill", "gate.yaml", "--run", "run"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL, env=os.environ) as child:
        ends = time.monotonic() + 200
        while not list(project.glob(pattern)):
            assert child.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)


def test_distill_killed_in_its_training_goes_on_and_says_where_the_student_lies(project, evalkit):
    kill_when_there(project, "run/checkpoints/*/step-*.pt")
    assert not list(project.glob("run/stages/student-weights/*/stage.json"))
    done = evalkit("distill", "gate.yaml", "--run", "run", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    training = json.loads(done.stdout)
    assert training["resumed_at_step"] >= 5
    assert (training["rows"], training["epochs"], training["steps"]) == (400, 8, 200)
    assert load_classifier(Path(training["hugging_face"])).labels == LABELS
    assert read_manifest(Path(training["served"])).labels == LABELS
    assert not list(project.glob("run/checkpoints/*"))
    assert not (project / "run" / "record.json").exists()


def test_distill_without_a_student_to_distil_is_refused(project, in_process):
    (project / "gate.yaml").write_text(yaml.safe_dump({**SPEC, "student": {"load": "teacher"}}))
    refused = in_process("distill", str(project / "gate.yaml"))
    assert refused.exit_code == 2
    assert "no student.distill, so there is nothing to train" in refused.stderr
