"""Training on what the teacher answers: sequence-level distillation where the sequence is one label."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from evalkit.students.loss import Batch, OfLogits

NAME = "answers"


def answers_loss(student_logits: Tensor, shares: Tensor) -> Tensor:
    """Mean over rows of −Σ share · log p(label): ``shares`` [rows, labels] of the teacher's answers for each label.

    One answer a row is a share of 1, and the loss its cross-entropy. Source: Kim, Rush 2016, section 3.2: the student
    is trained on what the teacher says, not on how likely it found it.
    """
    return functional.cross_entropy(student_logits, shares)


def single_answers(probabilities: Tensor) -> Tensor:
    """Shares [rows, labels] of which the likeliest label has all."""
    return functional.one_hot(probabilities.argmax(-1), probabilities.shape[-1]).to(probabilities.dtype)


@dataclass(frozen=True, kw_only=True)
class TeacherAnswers(OfLogits):
    """``answers_loss`` on ``shares`` [table, labels]."""

    shares: Tensor
    weight: float = 1.0

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        logits = batch.outputs.logits
        return {NAME: self.weight * answers_loss(logits, self.shares[batch.rows].to(logits.device))}
