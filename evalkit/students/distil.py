"""Distillation of a student on the teacher's recorded probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from evalkit.errors import StageError
from evalkit.modelling.loading import TextClassifier
from evalkit.students.objectives import response_loss
from evalkit.students.training import Progress, Schedule, train

SMALLEST_PROBABILITY = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseObjective:
    """soft_weight · T² · KL(teacher ‖ student) + hard_weight · cross-entropy."""

    temperature: float
    soft_weight: float
    hard_weight: float


def distil(
    student: TextClassifier,
    texts: Sequence[str],
    teacher_probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    objective: ResponseObjective,
    schedule: Schedule,
    on_progress: Callable[[Progress], None],
) -> float:
    """Trains ``student`` in place; returns the mean loss of the last epoch.

    ``teacher_probabilities`` [rows, labels] and ``labels`` [rows] (−1 = no true label) lie in the
    order of ``texts``; raises StageError where they are not one a text: a table shifted by one row teaches
    nonsense without a word.
    """
    if not len(texts) == len(teacher_probabilities) == len(labels):
        raise StageError(
            f"{len(texts)} training texts, {len(teacher_probabilities)} teacher outputs and {len(labels)} labels do "
            "not pair up; ask the teacher again for this very table"
        )
    log_probabilities = torch.from_numpy(np.log(np.maximum(teacher_probabilities, SMALLEST_PROBABILITY)))
    truth = torch.from_numpy(labels)

    def loss(logits: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        return response_loss(
            logits,
            log_probabilities[rows],
            truth[rows],
            temperature=objective.temperature,
            soft_weight=objective.soft_weight,
            hard_weight=objective.hard_weight,
        )

    return train(student, texts, loss, schedule, on_progress)
