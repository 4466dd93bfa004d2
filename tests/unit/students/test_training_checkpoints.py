"""Checkpoints: a training killed in the middle ends with the weights of one that was left in peace."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.errors import StageError
from evalkit.students.checkpoint import Checkpoints
from tests.tiny_classifiers import texts_and_labels, write_tiny_teacher
from tests.unit.students import interrupted_training
from tests.unit.students.interrupted_training import SCHEDULE, run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=5)


@pytest.fixture(scope="module")
def texts():
    return texts_and_labels(300, seed=3)["text"].tolist()


@pytest.fixture(scope="module")
def in_peace(teacher, texts):
    return run(teacher, texts, None)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_training_killed_with_sigkill_goes_on_to_the_same_weights(teacher, texts, in_peace, tmp_path):
    folder = tmp_path / "checkpoints"
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    command = [sys.executable, interrupted_training.__file__, teacher, tmp_path / "texts.json", folder]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout.readline() == "here\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert names(folder) == ["step-00000021.pt", "step-00000028.pt"]
    trained, digest = run(teacher, texts, folder)
    assert (trained.resumed_at, digest) == (28, in_peace[1])
    assert replace(trained, resumed_at=None) == in_peace[0]


def test_a_finished_training_is_not_trained_again(teacher, texts, in_peace, tmp_path):
    run(teacher, texts, tmp_path)
    steps = []
    trained, digest = run(teacher, texts, tmp_path, steps.append)
    assert (trained.resumed_at, digest, steps) == (45, in_peace[1], [])


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(teacher, texts, in_peace, tmp_path):
    run(teacher, texts, tmp_path)
    earlier, latest = sorted(tmp_path.iterdir())
    latest.write_bytes(latest.read_bytes()[:1000])
    trained, digest = run(teacher, texts, tmp_path)
    assert (trained.resumed_at, digest) == (int(earlier.stem.removeprefix("step-")), in_peace[1])


def test_checkpoints_that_cannot_be_read_at_all_are_not_taken_for_a_fresh_start(tmp_path):
    (tmp_path / "step-00000007.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(StageError, match=r"no checkpoint in .* can be read; remove the folder"):
        Checkpoints(folder=tmp_path, fingerprint="a").latest()


def test_checkpoints_of_another_training_are_refused(teacher, texts, tmp_path):
    run(teacher, texts, tmp_path)
    for other in ({"schedule": replace(SCHEDULE, seed=6)}, {"texts": [*texts[1:], texts[0]]}):
        with pytest.raises(StageError, match=r"is of another training; remove"):
            run(teacher, **({"texts": texts, "checkpoints": tmp_path} | other))


def test_a_full_disk_is_one_clear_error_and_keeps_the_checkpoint_before(tmp_path):
    checkpoints = Checkpoints(folder=tmp_path, fingerprint="a")
    checkpoints.write(1, {"weights": [1.0]})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StageError, match=r"step-00000002.pt could not be written \(.+\); is the disk full") as told:
            checkpoints.write(2, {"weights": [float(each) for each in range(20_000)]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "File too large" in str(told.value)
    assert names(tmp_path) == ["step-00000001.pt"]
    assert checkpoints.latest()["weights"] == [1.0]


def test_a_loss_that_stops_being_finite_keeps_the_last_good_checkpoint(teacher, texts, tmp_path, monkeypatch):
    whole, calls = interrupted_training.TrueLabels.__call__, []

    def breaks(loss, batch):
        calls.append(batch)
        return {name: each * (float("nan") if len(calls) > 10 else 1.0) for name, each in whole(loss, batch).items()}

    monkeypatch.setattr(interrupted_training.TrueLabels, "__call__", breaks)
    with pytest.raises(StageError, match=r"step 11 of 45: loss is nan \(hard\) on rows \d+, .*or lower the learning"):
        run(teacher, texts, tmp_path)
    assert names(tmp_path) == ["step-00000007.pt"]
