"""Feature-based distillation: hidden states of the student come close to the teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalkit.students.loss import HIDDEN_STATES, Batch
from evalkit.students.objectives.teacher_beside import TeacherBeside

NAME = "feature.hidden"


def hidden_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference over the tokens that are not padding, and over width.

    ``student`` and ``teacher`` [rows, tokens, width], ``mask`` [rows, tokens] is 0 for padding. Source: Romero et al.
    2015 (FitNets), equation 3; Jiao et al. 2020 (TinyBERT), equation 8.
    """
    return _over_tokens(((student - teacher) ** 2).mean(-1), mask)


def hidden_cosine(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean of 1 − cosine over the tokens that are not padding: whatever the states' lengths."""
    return _over_tokens(1 - functional.cosine_similarity(student, teacher, dim=-1), mask)


def _over_tokens(values: Tensor, mask: Tensor) -> Tensor:
    kept = mask.to(values.dtype)
    return (values * kept).sum() / kept.sum().clamp(min=1)


DISTANCES = {"mse": hidden_mse, "cosine": hidden_cosine}


class HiddenStates:
    """Mean over layer pairs of the distance between mapped hidden states, one linear map a pair.

    ``layers`` maps the student's layer to the teacher's, both from 0. Where the widths are equal a map starts as the
    identity, so that a student cut from its teacher is not disturbed by noise at first; elsewhere it is drawn from
    ``seed``.
    """

    asks = frozenset({HIDDEN_STATES})

    def __init__(
        self,
        teacher: TeacherBeside,
        layers: Mapping[int, int],
        widths: tuple[int, int],
        *,
        distance: Literal["mse", "cosine"],
        seed: int,
        weight: float = 1.0,
    ) -> None:
        self.modules = nn.ModuleDict({f"{mine}-{its}": projector(*widths, seed) for mine, its in layers.items()})
        self._teacher, self._layers, self._weight = teacher, dict(layers), weight
        self._distance = DISTANCES[distance]

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        teacher = self._teacher.outputs(batch).hidden_states
        student = batch.outputs.hidden_states
        mask = batch.inputs["attention_mask"]
        total = torch.stack(
            [
                self._distance(self.modules[f"{mine}-{its}"](student[mine + 1]), teacher[its + 1], mask)
                for mine, its in self._layers.items()
            ]
        )
        return {NAME: self._weight * total.mean()}


def projector(width: int, teacher_width: int, seed: int) -> nn.Linear:
    """A linear map from the student's width to the teacher's, without bias."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        linear = nn.Linear(width, teacher_width, bias=False)
    if width == teacher_width:
        nn.init.eye_(linear.weight)
    return linear
