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


def test_a_launcher_that_starts_evalkit_several_times_is_told_how_it_is_done(project, in_process, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = in_process("distill", str(project / "gate.yaml"))
    assert refused.exit_code == 2
    assert "evalkit was started 2 times at once by a launcher (WORLD_SIZE); start it once" in refused.stderr


OWN = """
import torch

class TurnsBad(torch.nn.Module):
    def __init__(self, vocabulary, labels):
        super().__init__()
        self.table, self.calls = torch.nn.Embedding(vocabulary, labels), 0

    def forward(self, input_ids, attention_mask):
        self.calls += self.training
        mask = attention_mask.unsqueeze(-1).float()
        logits = (self.table(input_ids) * mask).sum(1) / mask.sum(1)
        return logits * (float("nan") if self.calls > 12 else 1.0)

def made(tokenizer, labels):
    return TurnsBad(len(tokenizer), len(labels))
"""


def test_a_loss_that_is_no_number_names_step_and_rows_and_keeps_the_last_good_checkpoint(project, in_process):
    (project / "turns_bad.py").write_text(OWN)
    distill = {key: value for key, value in DISTILL.items() if key != "cut_layers"}
    student = {"distill": {**distill, "module": {"function": "turns_bad:made"}}}
    (project / "gate.yaml").write_text(yaml.safe_dump({**SPEC, "student": student}))
    stopped = in_process("distill", project / "gate.yaml", "--run", project / "run")
    assert stopped.exit_code == 4, stopped.output
    (error,) = (line for line in stopped.stderr.splitlines() if line.startswith("error: "))
    assert error.startswith("error: training stops at step 13 of 200: loss is nan (")
    assert "on rows " in error
    assert "lower the learning rate" in error
    assert "Traceback" not in stopped.stderr
    kept = sorted(path.name for path in project.glob("run/checkpoints/*/*"))
    assert kept == ["step-00000005.pt", "step-00000010.pt"]
    assert not list(project.glob("run/stages/student-weights/*/stage.json"))


def test_models_that_number_their_labels_differently_are_no_comparison(project, in_process):
    write_tiny_teacher(project / "other", labels=LABELS[::-1], steps=1)
    (project / "gate.yaml").write_text(yaml.safe_dump({**SPEC, "student": {"load": "other"}}))
    refused = in_process("check", project / "gate.yaml", "--run", project / "run")
    assert refused.exit_code == 2, refused.output
    assert "teacher and student number their labels differently (negative, neutral, positive against" in refused.stderr
    assert not (project / "run" / "verdict.json").exists()
