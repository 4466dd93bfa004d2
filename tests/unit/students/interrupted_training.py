"""A small training that can be run in a process of its own and killed there: python FILE TEACHER TEXTS CHECKPOINTS."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

import torch

from evalkit.modelling.loading import load_classifier
from evalkit.students.architecture import cut_from_teacher
from evalkit.students.loss import OfLogits
from evalkit.students.objectives.hard import TrueLabels
from evalkit.students.schedule import Schedule
from evalkit.students.training import train

SCHEDULE = Schedule(
    epochs=3, learning_rate=1e-3, batch_rows=16, max_length=32, seed=5, held_back=0.2, checkpoint_steps=7
)
HANGS_AT = 30


def run(teacher, texts, checkpoints, on_progress=lambda _: None, schedule=SCHEDULE):
    """What the training was, and the digest of its weights."""
    student = cut_from_teacher(load_classifier(Path(teacher)), [0])
    loss: OfLogits = TrueLabels(labels=torch.arange(len(texts)) % 3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same in every process, and the quickest for so small a model
    try:
        trained = train(student, texts, loss, schedule, on_progress, checkpoints=checkpoints)
    finally:
        torch.set_num_threads(threads)
    weights = b"".join(each.numpy().tobytes() for each in student.model.state_dict().values())
    return trained, hashlib.sha256(weights).hexdigest()


def hang(now):
    """Says that it got there, and waits to be killed."""
    if now.step == HANGS_AT:
        sys.stdout.write("here\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    run(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]), hang)
