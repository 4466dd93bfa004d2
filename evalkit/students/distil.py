"""Distillation of a student on its teacher: recorded answers, and what happens inside it, by any objectives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from evalkit.modelling.loading import TextClassifier
from evalkit.spec.distill import Objective
from evalkit.students.building import loss_of
from evalkit.students.lesson import Lesson
from evalkit.students.refusals import refuse_invalid
from evalkit.students.schedule import Schedule
from evalkit.students.training import Progress, Trained, train


def distil(
    student: TextClassifier,
    lesson: Lesson,
    objectives: Sequence[Objective],
    schedule: Schedule,
    on_progress: Callable[[Progress], None],
    teacher: TextClassifier | None = None,
    checkpoints: Path | None = None,
) -> Trained:
    """Trains ``student`` in place.

    ``teacher`` is needed for objectives that read what happens inside it (feature.*, relation.*), and runs beside the
    student on the same batches. ``checkpoints`` is a folder from which a killed training goes on. Raises SpecError or
    InvalidComparison, before any step, for a set-up that cannot teach what it says (``evalkit.students.refusals``).
    """
    refuse_invalid(objectives, student, teacher, lesson, schedule.batch_rows)
    with ExitStack() as after:
        loss = loss_of(objectives, student, teacher, lesson, schedule.seed, after)
        return train(student, lesson.texts, loss, schedule, on_progress, checkpoints=checkpoints)
