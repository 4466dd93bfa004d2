"""What the training loop asks of a loss, and what it hands to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

HIDDEN_STATES = "output_hidden_states"
ATTENTIONS = "output_attentions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch after the student's forward pass."""

    rows: NDArray[np.int64]
    """Row numbers in the training table [rows]."""
    inputs: dict[str, Tensor]
    """input_ids and attention_mask [rows, tokens]."""
    outputs: Any
    """The student's ModelOutput: logits [rows, labels], and hidden_states / attentions where asked."""


class Loss(Protocol):
    """What a student is trained to make small."""

    @property
    def modules(self) -> nn.Module:
        """What is trained besides the student, e.g. projectors; an empty nn.ModuleDict where nothing is.

        Its parameters belong in the optimiser and in gradient clipping.
        """

    @property
    def asks(self) -> frozenset[str]:
        """Of {"output_hidden_states", "output_attentions"}: passed to the student's forward pass."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Named, already weighted numbers; their sum is minimised."""


class OfLogits:
    """A loss that trains nothing besides the student and asks for its logits alone."""

    @property
    def modules(self) -> nn.Module:
        return nn.ModuleDict()

    @property
    def asks(self) -> frozenset[str]:
        return frozenset()
