"""Distillation objectives against their papers' formulas, worked out in float64 on small numbers.

Logits of teacher and student, and true labels, of two rows and three labels; vectors of three texts. Values recomputed
from Zhao et al. 2022 (equations 5 to 8), Park et al. 2019 (equations 5 to 10), Zagoruyko and Komodakis 2017 (equation
2), Romero et al. 2015 (equation 3) and Wang et al. 2021 (equations 3 to 6). The soft targets of Hinton et al. 2015
stand in test_response_objective.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from evalkit.students.objectives.answers import answers_loss, single_answers
from evalkit.students.objectives.feature_attention import attention_transfer
from evalkit.students.objectives.feature_hidden import hidden_cosine, hidden_mse
from evalkit.students.objectives.hard import hard_loss
from evalkit.students.objectives.relation_minilm import relation_loss
from evalkit.students.objectives.relation_rkd import angle_loss, distance_loss
from evalkit.students.objectives.response_dkd import decoupled, dkd_loss
from evalkit.students.objectives.response_kl import response_loss, soft_loss

TEACHER = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]], dtype=torch.float64)
STUDENT = torch.tensor([[1.0, 1.0, 0.0], [0.5, 0.0, 2.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])
TEACHER_TEXTS = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
STUDENT_TEXTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])


def log_probabilities(logits):
    return torch.log_softmax(logits, dim=-1)


def states(rows, tokens, width, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, tokens, width)))


# response.dkd


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_the_two_parts_of_decoupled_distillation_make_up_the_whole_divergence(temperature):
    target, rest, p_target = decoupled(STUDENT, log_probabilities(TEACHER), LABELS, temperature)
    whole = soft_loss(STUDENT, log_probabilities(TEACHER), temperature) / temperature**2
    torch.testing.assert_close(target + (1 - p_target) * rest, whole, rtol=0, atol=1e-15)


def test_decoupled_distillation_equals_its_reference_value():
    loss = dkd_loss(STUDENT, log_probabilities(TEACHER), LABELS, temperature=4.0, alpha=1.0, beta=8.0)
    assert loss.item() == pytest.approx(1.2111925, abs=5e-8)


def test_with_two_labels_the_second_part_is_nothing():
    _, rest, _ = decoupled(STUDENT[:, :2], log_probabilities(TEACHER[:, :2]), torch.tensor([0, 1]), 2.0)
    assert rest.abs().max().item() == 0.0


# relation.rkd


def test_distances_and_angles_equal_their_reference_values():
    distance, angle = distance_loss(STUDENT_TEXTS, TEACHER_TEXTS), angle_loss(STUDENT_TEXTS, TEACHER_TEXTS)
    assert distance.item() == pytest.approx(0.0034812, abs=5e-8)
    assert angle.item() == pytest.approx(0.00074448, abs=5e-9)
    assert (25 * distance + 50 * angle).item() == pytest.approx(0.1242553, abs=5e-8)


def test_distances_by_hand():
    """3, 4, 5 over their mean 4 against 1, 1, √2 over theirs; every pair twice, and three rows with themselves."""
    mean = (2 + math.sqrt(2)) / 3
    differences = (1 / mean - 3 / 4, 1 / mean - 1, math.sqrt(2) / mean - 5 / 4)
    by_hand = 2 * sum(0.5 * each**2 for each in differences) / 9
    assert distance_loss(STUDENT_TEXTS, TEACHER_TEXTS).item() == pytest.approx(by_hand, rel=1e-12)


def test_relations_do_not_change_with_rotation_shift_and_scale():
    rng = np.random.default_rng(3)
    texts = torch.from_numpy(rng.normal(size=(6, 4)))
    rotation, _ = torch.linalg.qr(torch.from_numpy(rng.normal(size=(4, 4))))
    moved = 7.0 * texts @ rotation + torch.from_numpy(rng.normal(size=4))
    for loss in (distance_loss, angle_loss):
        assert loss(moved, texts).item() < 1e-25
        other = torch.from_numpy(rng.normal(size=(6, 2)))
        torch.testing.assert_close(loss(other, moved), loss(other, texts), rtol=1e-10, atol=0)


@pytest.mark.parametrize("texts", [[[1.0, 2.0], [1.0, 2.0], [3.0, 0.0]], [[1.0, 2.0]] * 3, [[1.0, 2.0]]])
def test_gradients_stay_finite_where_texts_are_equal_or_alone(texts):
    student = torch.tensor(texts, dtype=torch.float64, requires_grad=True)
    teacher = TEACHER_TEXTS[: len(texts)]
    (distance_loss(student, teacher) + angle_loss(student, teacher)).backward()
    assert torch.isfinite(student.grad).all()


# feature.hidden, feature.attention


def test_hidden_states_are_compared_by_their_mean_square_over_tokens_that_are_there():
    student, teacher = states(2, 4, 3, seed=1), states(2, 4, 3, seed=2)
    by_hand = np.mean([((student[row, at] - teacher[row, at]) ** 2).mean() for row, at in np.argwhere(MASK.numpy())])
    assert hidden_mse(student, teacher, MASK).item() == pytest.approx(by_hand, rel=1e-12)


def test_the_cosine_distance_does_not_see_length_and_is_two_for_the_opposite():
    teacher = states(2, 4, 3, seed=2)
    assert hidden_cosine(3.0 * teacher, teacher, MASK).item() == pytest.approx(0.0, abs=1e-12)
    assert hidden_cosine(-teacher, teacher, MASK).item() == pytest.approx(2.0, abs=1e-12)


def attentions(heads, seed):
    """Probabilities [2, heads, 4, 4] that give padding nothing."""
    scores = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, heads, 4, 4)))
    return torch.softmax(scores.masked_fill(~MASK.bool()[:, None, None, :], -torch.inf), -1)


def test_attention_transfer_is_half_the_squared_distance_of_unit_maps():
    """One row of two tokens, one head: maps (1, 0, 0, 1)/√2 and (½, ½, ½, ½) have the cosine 1/√2."""
    student = torch.eye(2, dtype=torch.float64)[None, None]
    teacher = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)
    value = attention_transfer(student, teacher, torch.ones(1, 2)).item()
    assert value == pytest.approx(1 - 1 / math.sqrt(2), rel=1e-12)


def test_attention_transfer_takes_any_number_of_heads_and_is_nothing_between_equals():
    teacher = attentions(4, seed=1)
    assert attention_transfer(teacher.mean(1, keepdim=True), teacher, MASK).item() == pytest.approx(0.0, abs=1e-15)
    assert attention_transfer(attentions(2, seed=2), teacher, MASK).item() > 0.01


# relation.minilm


def minilm_by_hand(student, teacher, heads):
    """Row by row, head by head, token by token, padding cut away."""
    divergences = []
    for row in range(2):
        kept = int(MASK[row].sum())
        for head in range(heads):
            relations = []
            for side in (teacher, student):
                width = side.shape[2] // heads
                cut = side[row, :kept, head * width : (head + 1) * width].numpy()
                scores = cut @ cut.T / math.sqrt(width)
                relations.append(np.exp(scores) / np.exp(scores).sum(1, keepdims=True))
            p, q = relations
            divergences += list((p * np.log(p / q)).sum(1))
    return np.mean(divergences)


def test_relations_of_tokens_equal_the_definition():
    student, teacher = states(2, 4, 6, seed=1), states(2, 4, 12, seed=2)
    value = relation_loss(student, teacher, MASK, 3).item()
    assert value == pytest.approx(minilm_by_hand(student, teacher, 3), rel=1e-12)


# padding


def padded(values, fill):
    """The same states with other numbers where there is padding."""
    return values.where(MASK.bool().unsqueeze(-1), torch.tensor(fill, dtype=values.dtype))


@pytest.mark.parametrize(
    "loss",
    [hidden_mse, hidden_cosine, lambda student, teacher, mask: relation_loss(student, teacher, mask, 2)],
    ids=["mse", "cosine", "minilm"],
)
def test_padding_changes_no_loss_and_gets_no_gradient(loss):
    student, teacher = states(2, 4, 4, seed=1).requires_grad_(True), states(2, 4, 4, seed=2)
    value = loss(student, teacher, MASK)
    torch.testing.assert_close(loss(padded(student, 9.0), padded(teacher, -9.0), MASK), value)
    value.backward()
    assert student.grad[~MASK.bool()].abs().max().item() == 0.0
    assert student.grad[MASK.bool()].abs().min().item() > 0.0


def test_what_padding_looks_at_is_not_transferred():
    student, teacher = attentions(2, seed=1), attentions(2, seed=2)
    changed = student.clone()
    changed[0, :, 3] = 0.25
    torch.testing.assert_close(attention_transfer(changed, teacher, MASK), attention_transfer(student, teacher, MASK))


# hard, answers


def test_hard_loss_leaves_rows_without_a_label_out():
    alone = hard_loss(STUDENT[:1], LABELS[:1])
    torch.testing.assert_close(hard_loss(STUDENT, torch.tensor([0, -1])), alone)
    logits = STUDENT.clone().requires_grad_(True)
    hard_loss(logits, torch.tensor([-1, -1])).backward()
    assert logits.grad.abs().max().item() == 0.0


def test_single_answers_cost_the_cross_entropy_and_votes_the_divergence_plus_their_entropy():
    p = torch.softmax(TEACHER, -1)
    assert answers_loss(STUDENT, single_answers(p)).item() == pytest.approx(0.5841752, abs=1e-7)
    entropy = -(p * p.log()).sum(-1).mean()
    expected = soft_loss(STUDENT, log_probabilities(TEACHER), 1.0).mean() + entropy
    torch.testing.assert_close(answers_loss(STUDENT, p), expected)


# gradients


def of_logits(loss):
    return loss, STUDENT


def of_texts(loss):
    return lambda student: loss(student, TEACHER_TEXTS), STUDENT_TEXTS + 0.1 * states(1, 3, 2, seed=5)[0]


def of_states(loss, width):
    return lambda student: loss(student, states(2, 4, 4, seed=2), MASK), states(2, 4, width, seed=1)


def of_attentions(loss):
    scores = states(4, 4, 4, seed=6).view(2, 2, 4, 4)
    return lambda student: loss(torch.softmax(student, -1), attentions(2, seed=2), MASK), scores


P = log_probabilities(TEACHER)
GRADIENTS = {
    "response.kl": of_logits(
        lambda s: response_loss(s, P, torch.tensor([0, -1]), temperature=2.0, soft_weight=0.9, hard_weight=0.1)
    ),
    "response.dkd": of_logits(lambda s: dkd_loss(s, P, LABELS, temperature=4.0, alpha=1.0, beta=8.0)),
    "hard": of_logits(lambda s: hard_loss(s, LABELS)),
    "answers": of_logits(lambda s: answers_loss(s, torch.softmax(TEACHER, -1))),
    "relation.rkd distance": of_texts(distance_loss),
    "relation.rkd angle": of_texts(angle_loss),
    "feature.hidden mse": of_states(hidden_mse, 4),
    "feature.hidden cosine": of_states(hidden_cosine, 4),
    "relation.minilm": of_states(lambda s, t, mask: relation_loss(s, t, mask, 2), 6),
    "feature.attention": of_attentions(attention_transfer),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_gradient_equals_the_slope(name):
    loss, at = GRADIENTS[name]
    assert gradcheck(loss, (at.clone().requires_grad_(True),), eps=1e-6, atol=1e-7)
