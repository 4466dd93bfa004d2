"""Response-based distillation: the student matches the teacher's softened probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from evalkit.students.loss import Batch, OfLogits

NAME = "response.kl"


def soft_targets(teacher_log_probabilities: Tensor, temperature: float) -> Tensor:
    """Teacher probabilities [rows, labels] at ``temperature``.

    Log-probabilities are logits up to a constant per row, which the softmax removes.
    """
    return functional.softmax(teacher_log_probabilities / temperature, dim=-1)


def soft_loss(student_logits: Tensor, teacher_log_probabilities: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) at temperature T, one value a row [rows].

    T² keeps the gradient's size independent of T. Source: Hinton, Vinyals, Dean 2015, section 2.
    """
    targets = soft_targets(teacher_log_probabilities, temperature)
    student = functional.log_softmax(student_logits / temperature, dim=-1)
    return temperature**2 * functional.kl_div(student, targets, reduction="none").sum(-1)


def response_loss(
    student_logits: Tensor,
    teacher_log_probabilities: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    soft_weight: float,
    hard_weight: float,
) -> Tensor:
    """Mean over rows of soft_weight · T² · KL + hard_weight · cross-entropy with the true label.

    ``labels`` [rows] holds −1 where a row has no true label: such a row has its soft term alone, with
    weight soft_weight + hard_weight, so that every row pulls equally hard.
    """
    labelled = labels >= 0
    soft = soft_loss(student_logits, teacher_log_probabilities, temperature)
    hard = functional.cross_entropy(student_logits, labels.clamp(min=0), reduction="none")
    both = soft_weight * soft + hard_weight * hard
    return both.where(labelled, (soft_weight + hard_weight) * soft).mean()


@dataclass(frozen=True, kw_only=True)
class SoftTargets(OfLogits):
    """``response_loss`` on the recorded outputs of the whole table: ``log_probabilities`` [table, labels] and
    ``labels`` [table]."""

    log_probabilities: Tensor
    labels: Tensor
    temperature: float
    soft_weight: float
    hard_weight: float
    weight: float = 1.0

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        logits = batch.outputs.logits
        loss = response_loss(
            logits,
            self.log_probabilities[batch.rows].to(logits.device),
            self.labels[batch.rows].to(logits.device),
            temperature=self.temperature,
            soft_weight=self.soft_weight,
            hard_weight=self.hard_weight,
        )
        return {NAME: self.weight * loss}
