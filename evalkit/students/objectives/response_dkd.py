"""Decoupled distillation: the teacher's confidence in the target, and how it spreads the rest, weighed apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from evalkit.students.loss import Batch, OfLogits

NAME = "response.dkd"


def decoupled(
    student_logits: Tensor, teacher_log_probabilities: Tensor, targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """TCKD, NCKD and the teacher's probability of the target p_t, one value a row [rows] each, at temperature T.

    TCKD is the KL of target against not-target, NCKD that among the other labels; KL(teacher ‖ student) =
    TCKD + (1 − p_t) · NCKD. ``targets`` [rows] are label numbers. With two labels NCKD is 0.
    Source: Zhao, Cui, Song, Qiu, Liang 2022, equations 5 to 7.
    """
    others = torch.ones_like(student_logits, dtype=torch.bool).scatter(1, targets.unsqueeze(1), False)
    width = student_logits.shape[1] - 1
    halves, rests = [], []
    for logits in (teacher_log_probabilities, student_logits):
        log_p = functional.log_softmax(logits / temperature, dim=-1)
        rest = log_p[others].view(-1, width)
        rest_mass = torch.logsumexp(rest, dim=-1, keepdim=True)
        halves.append(torch.cat([log_p.gather(1, targets.unsqueeze(1)), rest_mass], dim=1))
        rests.append(rest - rest_mass)
    return _kl(*halves), _kl(*rests), halves[0][:, 0].exp()


def _kl(teacher: Tensor, student: Tensor) -> Tensor:
    return functional.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)


def dkd_loss(
    student_logits: Tensor,
    teacher_log_probabilities: Tensor,
    targets: Tensor,
    *,
    temperature: float,
    alpha: float,
    beta: float,
) -> Tensor:
    """Mean over rows of T² · (alpha · TCKD + beta · NCKD)."""
    target, rest, _ = decoupled(student_logits, teacher_log_probabilities, targets, temperature)
    return temperature**2 * (alpha * target + beta * rest).mean()


@dataclass(frozen=True, kw_only=True)
class DecoupledTargets(OfLogits):
    """``dkd_loss`` on the recorded outputs; a row without a true label (−1) has the teacher's answer as target."""

    log_probabilities: Tensor
    labels: Tensor
    temperature: float
    alpha: float
    beta: float
    weight: float = 1.0

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        logits = batch.outputs.logits
        teacher = self.log_probabilities[batch.rows]
        truth = self.labels[batch.rows]
        loss = dkd_loss(
            logits,
            teacher.to(logits.device),
            truth.where(truth >= 0, teacher.argmax(-1)).to(logits.device),
            temperature=self.temperature,
            alpha=self.alpha,
            beta=self.beta,
        )
        return {NAME: self.weight * loss}
