"""Relational distillation: how the texts of a batch lie to each other, whatever the space they lie in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalkit.modelling.mean_pooled import masked_mean
from evalkit.students.loss import HIDDEN_STATES, Batch
from evalkit.students.objectives.teacher_beside import TeacherBeside

NAME = "relation.rkd"


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean Huber difference of the pairwise distances, each side over the mean of its own distances that are not 0.

    ``student`` [rows, width] and ``teacher`` [rows, its width]. Any rotation, shift or scale of either changes
    nothing. Source: Park, Kim, Lu, Cho 2019, equations 5 to 7.
    """
    return functional.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean Huber difference of the cosines at the middle one of every three rows. Source: the same, equations 8 to
    10."""
    return functional.smooth_l1_loss(_cosines(student), _cosines(teacher))


def _relative_distances(vectors: Tensor) -> Tensor:
    distances = _lengths(vectors.unsqueeze(0) - vectors.unsqueeze(1))
    apart = distances > 0
    return distances / distances.sum() * apart.sum() if apart.any() else distances


def _cosines(vectors: Tensor) -> Tensor:
    differences = vectors.unsqueeze(0) - vectors.unsqueeze(1)
    lengths = _lengths(differences).unsqueeze(-1)
    directions = differences / lengths.where(lengths > 0, 1.0)
    return torch.bmm(directions, directions.transpose(1, 2))


def _lengths(differences: Tensor) -> Tensor:
    """Euclidean lengths, with gradient 0 where two rows are equal: that of the square root would be infinite."""
    squares = (differences**2).sum(-1)
    apart = squares > 0
    return squares.where(apart, 1.0).sqrt().where(apart, 0.0)


class TextRelations:
    """Distances and angles between the mean-pooled texts of a batch, in the last layer of both."""

    asks = frozenset({HIDDEN_STATES})

    def __init__(
        self, teacher: TeacherBeside, *, distance_weight: float, angle_weight: float, weight: float = 1.0
    ) -> None:
        self.modules = nn.ModuleDict()
        self._teacher, self._weight = teacher, weight
        self._distance_weight, self._angle_weight = distance_weight, angle_weight

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        mask = batch.inputs["attention_mask"]
        student = masked_mean(batch.outputs.hidden_states[-1], mask)
        teacher = masked_mean(self._teacher.outputs(batch).hidden_states[-1], mask)
        return {
            f"{NAME}.distance": self._weight * self._distance_weight * distance_loss(student, teacher),
            f"{NAME}.angle": self._weight * self._angle_weight * angle_loss(student, teacher),
        }
