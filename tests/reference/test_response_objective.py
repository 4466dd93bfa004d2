"""Response-based distillation against values computed by hand in float64.

Logits of teacher and student, and true labels, of two rows and three labels. The loss is Hinton, Vinyals and
Dean 2015, section 2: T² · KL(teacher ‖ student) at temperature T, averaged over rows.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evalkit.students.objectives.hard import hard_loss
from evalkit.students.objectives.response_kl import response_loss, soft_loss

TEACHER = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]], dtype=torch.float64)
STUDENT = torch.tensor([[1.0, 1.0, 0.0], [0.5, 0.0, 2.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])


def log_probabilities(logits):
    return torch.log_softmax(logits, dim=-1)


def by_hand(temperature):
    """The same sum with numpy and the definition, term by term."""
    total = 0.0
    for teacher, student in zip(TEACHER.numpy(), STUDENT.numpy(), strict=True):
        t = np.exp(teacher / temperature) / np.exp(teacher / temperature).sum()
        s = np.exp(student / temperature) / np.exp(student / temperature).sum()
        total += sum(a * (math.log(a) - math.log(b)) for a, b in zip(t, s, strict=True))
    return temperature**2 * total / len(TEACHER)


@pytest.mark.parametrize(("temperature", "value"), [(1, 0.0965622), (2, 0.1426756), (4, 0.1652973), (1000, 0.1805146)])
def test_soft_loss_equals_the_definition(temperature, value):
    loss = soft_loss(STUDENT, log_probabilities(TEACHER), temperature).mean().item()
    assert loss == pytest.approx(by_hand(temperature), rel=1e-9)
    assert loss == pytest.approx(value, abs=5e-8)


def test_soft_loss_tends_to_the_mean_squared_difference_of_centred_logits():
    difference = TEACHER - STUDENT
    centred = difference - difference.mean(dim=1, keepdim=True)
    limit = (centred**2).sum(1).mean().item() / (2 * 3)
    assert limit == pytest.approx(0.1805556, abs=5e-8)
    assert soft_loss(STUDENT, log_probabilities(TEACHER), 1e5).mean().item() == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_gradient_of_the_soft_loss_is_t_times_the_difference_of_softened_probabilities(temperature):
    student = STUDENT.clone().requires_grad_(True)
    soft_loss(student, log_probabilities(TEACHER), temperature).mean().backward()
    expected = torch.softmax(STUDENT / temperature, -1) - torch.softmax(TEACHER / temperature, -1)
    torch.testing.assert_close(student.grad, temperature * expected / len(TEACHER))


def test_hard_loss_is_the_cross_entropy():
    assert hard_loss(STUDENT, LABELS).item() == pytest.approx(0.5841752, abs=1e-7)


def test_response_loss_weighs_soft_and_hard_terms_literally():
    value = response_loss(
        STUDENT, log_probabilities(TEACHER), LABELS, temperature=2.0, soft_weight=0.9, hard_weight=0.1
    ).item()
    assert value == pytest.approx(0.9 * by_hand(2.0) + 0.1 * 0.5841752, abs=1e-7)


def test_a_row_without_a_label_has_its_soft_term_with_the_whole_weight():
    unlabelled = response_loss(
        STUDENT, log_probabilities(TEACHER), torch.tensor([-1, -1]), temperature=2.0, soft_weight=0.9, hard_weight=0.1
    ).item()
    assert unlabelled == pytest.approx(1.0 * by_hand(2.0), rel=1e-9)


def test_a_student_equal_to_its_teacher_has_no_soft_loss():
    assert soft_loss(TEACHER, log_probabilities(TEACHER), 3.0).abs().max().item() < 1e-12
