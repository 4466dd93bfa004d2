"""A training shared by two real processes on the CPU (gloo)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from evalkit.data.dataset import training_rows
from evalkit.errors import SpecError, StageError
from evalkit.modelling.loading import load_classifier
from evalkit.modelling.predicting import torch_logits
from evalkit.record.stages import folder_digest
from evalkit.spec.distill import Distill
from evalkit.spec.gate import Columns
from evalkit.students.processes import _killed, _stops_wait, distil_in_processes, refuse_too_many
from serving.engine import softmax
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

DISTILL = {"cut_layers": [0], "epochs": 8, "batch_rows": 16, "max_length": 32, "learning_rate": 1e-3, "processes": 2}


@pytest.fixture(scope="module")
def how(tmp_path_factory):
    folder = write_tiny_teacher(tmp_path_factory.mktemp("teacher"), steps=40)
    rows = training_rows(texts_and_labels(320, seed=3), Columns(), LABELS)
    logits = torch_logits(load_classifier(folder), list(rows.texts), 32)
    return {
        "teacher_folder": folder,
        "rows": rows,
        "task_labels": LABELS,
        "teacher_probabilities": softmax(logits),
        "distill": Distill.model_validate(DISTILL),
        "seed": 5,
    }


def silent(share: float, note: str) -> None:
    return


@pytest.mark.slow
def test_two_processes_train_one_student_the_same_each_time_also_after_one_is_killed(how, tmp_path):
    """They hold the same weights before the first step and after the last, or the training refuses to end."""
    told: list[tuple[float, str]] = []
    training = distil_in_processes(2, tmp_path / "once", on_progress=lambda *now: told.append(now), **how)
    assert training["trained_on"] == "cpu:0 (fp32) × 2"
    assert training["steps"] == 160
    assert told[-1][0] == 1.0
    teacher = load_classifier(how["teacher_folder"])
    student, texts = load_classifier(tmp_path / "once"), texts_and_labels(300, seed=9)["text"].tolist()
    assert (torch_logits(student, texts, 32).argmax(1) == torch_logits(teacher, texts, 32).argmax(1)).mean() > 0.8

    checkpoints = tmp_path / "checkpoints"
    how = how | {"checkpoints": checkpoints}
    with pytest.raises(
        StageError, match=r"process 2 of 2 of the training was ended by SIGKILL; start again: it goes on"
    ):
        distil_in_processes(2, tmp_path / "killed", on_progress=kill_the_second_at(0.13), **how)
    assert not (tmp_path / "killed").exists()
    assert members() == []
    resumed = distil_in_processes(2, tmp_path / "killed", on_progress=silent, **how)
    assert resumed["resumed_at_step"] >= 20
    assert folder_digest(tmp_path / "killed") == folder_digest(tmp_path / "once")


def members() -> list[int]:
    """The living processes of the training, in their order: what the fork server has forked."""
    forked = [each for child in psutil.Process().children() for each in child.children()]
    return sorted(each.pid for each in forked if each.is_running() and each.status() != psutil.STATUS_ZOMBIE)


def kill_the_second_at(share: float):
    killed = []

    def look(now: float, note: str) -> None:
        if now >= share and not killed:
            killed.append(members()[1])
            os.kill(killed[0], signal.SIGKILL)

    return look


@pytest.mark.slow
def test_what_a_process_refuses_is_said_as_one_would_say_it(how, tmp_path):
    wrong = how | {"distill": Distill.model_validate(DISTILL | {"cut_layers": [7]})}
    with pytest.raises(SpecError, match=r"student.distill.cut_layers is .*teacher's 3 layers"):
        distil_in_processes(2, tmp_path / "refused", on_progress=silent, **wrong)


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(
        SpecError, match=r"student.distill.processes is 4, and this machine has 2 GPUs; give 2 or fewer"
    ):
        refuse_too_many(4, gpus=2)
    refuse_too_many(2, gpus=2)


class Ended(Exception):
    def __init__(self, number: int, name: str | None):
        self.error_index, self.signal_name = number, name


@pytest.mark.parametrize(
    ("codes", "first", "said"),
    [
        ([1, -9], Ended(0, None), "process 2 of 2 of the training was ended by SIGKILL"),
        ([-15, -9], Ended(1, "SIGKILL"), "process 2 of 2 of the training was ended by SIGKILL"),
        ([-15, -15], Ended(0, "SIGTERM"), "process 1 of 2 of the training was ended by SIGTERM"),
        ([1, -15], Ended(0, None), None),
    ],
)
def test_the_one_that_was_killed_is_named_and_not_those_that_broke_for_want_of_it(codes, first, said):
    found = _killed(codes, first)
    assert (None if found is None else str(found).split(";")[0]) == said


def test_the_spec_refuses_more_processes_than_rows_in_a_batch():
    with pytest.raises(ValueError, match="processes is 8, more than batch_rows 4 can be shared among"):
        Distill.model_validate(DISTILL | {"batch_rows": 4, "processes": 8})


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_waits_until_the_processes_have_started(stop):
    before, mask = signal.getsignal(stop), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with _stops_wait() as stops:
        os.kill(os.getpid(), stop)
        assert stop in signal.pthread_sigmask(signal.SIG_BLOCK, []), "the started ones have it blocked"
    assert stops == [stop]
    assert signal.getsignal(stop) is before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_the_folder_that_the_command_is_started_in_gives_the_processes_no_code(tmp_path):
    """The server that they are forked from is a new Python, in which it would come first."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    for name in ("grp", "selectors", "struct"):
        (here / f"{name}.py").write_text("open('imported', 'w').close()\nraise ImportError('of the wrong file')")
    script = elsewhere / "start.py"
    script.write_text(
        "from multiprocessing import get_context\n"
        "from evalkit.students.processes import METHOD, _no_code_from_here\n"
        "if __name__ == '__main__':\n"
        "    child = get_context(METHOD).Process(target=print, args=('started',))\n"
        "    with _no_code_from_here():\n"
        "        child.start()\n"
        "    child.join()\n"
    )
    done = subprocess.run([sys.executable, script], cwd=here, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "started\n", done.stderr
    assert not (here / "imported").exists()
