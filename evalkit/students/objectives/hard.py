"""Training on true labels: no teacher at all, and the control of every distillation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from evalkit.students.loss import Batch, OfLogits

NAME = "hard"


def hard_loss(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the rows that have a true label; 0 where none has (``labels`` [rows], −1 = none)."""
    if not (labels >= 0).any():
        return 0.0 * student_logits.sum()
    return functional.cross_entropy(student_logits, labels, ignore_index=-1)


@dataclass(frozen=True, kw_only=True)
class TrueLabels(OfLogits):
    """``hard_loss`` on ``labels`` [table]."""

    labels: Tensor
    weight: float = 1.0

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        logits = batch.outputs.logits
        return {NAME: self.weight * hard_loss(logits, self.labels[batch.rows].to(logits.device))}
