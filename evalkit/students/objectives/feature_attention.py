"""Attention transfer: the student looks where its teacher looks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalkit.students.loss import ATTENTIONS, Batch
from evalkit.students.objectives.teacher_beside import TeacherBeside

NAME = "feature.attention"


def attention_map(attentions: Tensor, mask: Tensor) -> Tensor:
    """One map a text [rows, tokens²]: the mean over heads, padding at 0, of Euclidean length 1.

    ``attentions`` [rows, heads, tokens, tokens] are probabilities, so that teacher and student may have different
    numbers of heads; ``mask`` [rows, tokens] is 0 for padding.
    """
    kept = mask.to(attentions.dtype)
    whole = attentions.mean(1) * kept.unsqueeze(1) * kept.unsqueeze(2)
    return functional.normalize(whole.flatten(1), dim=1)


def attention_transfer(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean over texts of ½ ‖student's map − teacher's map‖²: 1 − their cosine, in [0, 1].

    Source: Zagoruyko, Komodakis 2017, equation 2, on a transformer's attention in the place of activations.
    """
    difference = attention_map(student, mask) - attention_map(teacher, mask)
    return 0.5 * (difference**2).sum(1).mean()


class AttentionMaps:
    """Mean over layer pairs of ``attention_transfer``; ``layers`` maps the student's layer to the teacher's."""

    asks = frozenset({ATTENTIONS})

    def __init__(self, teacher: TeacherBeside, layers: Mapping[int, int], *, weight: float = 1.0) -> None:
        self.modules = nn.ModuleDict()
        self._teacher, self._layers, self._weight = teacher, dict(layers), weight

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        teacher, student = self._teacher.outputs(batch).attentions, batch.outputs.attentions
        mask = batch.inputs["attention_mask"]
        total = torch.stack(
            [attention_transfer(student[mine], teacher[its], mask) for mine, its in self._layers.items()]
        )
        return {NAME: self._weight * total.mean()}
