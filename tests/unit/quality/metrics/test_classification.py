"""Metrics of one label a row equal scikit-learn's, and leave out what nobody can say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import metric

LABELS = ("bad", "fair", "good")


def answers(truth, predicted, probabilities=None, labels=LABELS):
    return Answered(
        model="student",
        labels=labels,
        truth=np.asarray(truth),
        predicted=np.asarray(predicted),
        probabilities=None if probabilities is None else np.asarray(probabilities, dtype=np.float64),
    )


def value(name, *arguments, **named):
    return metric(name, "classification").value(answers(*arguments, **named))


def test_macro_f1_by_hand():
    """bad: 2·1/(2+1) = 2/3; fair: 2·1/(1+2) = 2/3; good: 2·1/(1+1) = 1."""
    assert value("macro_f1", [0, 0, 1, 2], [0, 1, 1, 2]) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3, abs=1e-12)


def test_a_label_absent_from_truth_and_answers_is_left_out_as_scikit_learn_does():
    truth, predicted = [0, 0, 1, 1], [0, 1, 1, 1]
    assert value("macro_f1", truth, predicted) == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-12)


def test_a_label_that_is_only_answered_counts_against_nobody_but_costs_recall():
    """Averaged over the labels in the truth, so that teacher and student are averaged over the same ones."""
    truth, predicted = [0, 0, 1, 1], [0, 2, 1, 1]
    expected = f1_score(truth, predicted, labels=[0, 1], average="macro")
    assert value("macro_f1", truth, predicted) == pytest.approx(expected, abs=1e-12)
    assert value("balanced_accuracy", truth, predicted) == pytest.approx(0.75, abs=1e-12)


def test_f1_of_a_label_that_no_row_has_is_undefined_whatever_is_answered():
    assert math.isnan(value("f1:good", [0, 1], [0, 1]))
    assert math.isnan(value("f1:good", [0, 1], [0, 2]))
    assert value("f1:good", [0, 2], [0, 1]) == 0.0


def test_precision_and_recall_at_a_threshold_claim_from_the_threshold_on():
    truth = [2, 2, 0, 1, 2]
    given = [[0.5, 0.0, 0.5], [0.2, 0.2, 0.6], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2], [0.9, 0.1, 0.0]]
    claimed = [1, 1, 1, 0, 0]
    true = [1, 1, 0, 0, 1]
    assert value("precision@0.5:good", truth, truth, given) == precision_score(true, claimed)
    assert value("recall@0.5:good", truth, truth, given) == recall_score(true, claimed)


def test_precision_is_undefined_where_nothing_is_claimed_and_recall_where_nothing_is_true():
    given = [[0.4, 0.3, 0.3], [0.3, 0.4, 0.3]]
    assert math.isnan(value("precision@0.5:good", [2, 0], [0, 1], given))
    assert value("recall@0.5:good", [2, 0], [0, 1], given) == 0.0
    assert math.isnan(value("recall@0.5:good", [0, 0], [0, 1], given))


def test_log_loss_counts_a_probability_below_the_precision_of_32_bits_as_that():
    sure_and_wrong = value("log_loss", [0], [1], [[0.0, 1.0, 0.0]])
    assert sure_and_wrong == pytest.approx(-math.log(2**-23), abs=1e-12)
    assert value("log_loss", [0], [0], [[1.0, 0.0, 0.0]]) == 0.0


def test_brier_by_hand():
    """Three labels: 0.2² + 0.1² + 0.1²; two labels: halved, (1 − 0.8)²."""
    assert value("brier", [0], [0], [[0.8, 0.1, 0.1]]) == pytest.approx(0.06, abs=1e-12)
    assert value("brier", [0], [0], [[0.8, 0.2]], labels=("no", "yes")) == pytest.approx(0.04, abs=1e-12)


def test_top_k_counts_ties_against_the_model():
    tied = [[0.4, 0.3, 0.3]]
    assert value("top@2", [1], [0], tied) == 0.0
    assert value("top@2", [1], [0], [[0.4, 0.31, 0.29]]) == 1.0


def test_auc_is_the_chance_to_rank_a_pair_rightly_and_ties_count_half():
    """Hanley & McNeil 1982: of the 2 × 2 pairs, 2 won, 1 tied, 1 lost."""
    given = np.array([[0.0, 0.9], [0.0, 0.5], [0.0, 0.5], [0.0, 0.7]])
    assert value("auc:yes", [1, 1, 0, 0], [1, 1, 0, 0], given, labels=("no", "yes")) == (2 + 0.5) / 4


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_auc_of_one_class_is_undefined(truth):
    assert math.isnan(value("auc:yes", truth, truth, [[0.5, 0.5]] * 3, labels=("no", "yes")))


def test_ece_by_hand():
    """Bins of 1/15: 0.95 (one right, one wrong) lies in (14/15, 1], 0.5 (right) in (7/15, 8/15]."""
    given = [[0.95, 0.05, 0.0], [0.95, 0.05, 0.0], [0.5, 0.3, 0.2]]
    expected = 2 / 3 * abs(0.5 - 0.95) + 1 / 3 * abs(1 - 0.5)
    assert value("ece", [0, 1, 0], [0, 0, 0], given) == pytest.approx(expected, abs=1e-12)


def test_ece_puts_a_confidence_on_an_edge_into_the_lower_bin():
    """(b − 1)/15 < confidence ≤ b/15 (Guo et al. 2017): 0.6 and 0.59 share (8/15, 9/15] and cancel out."""
    labels = ("no", "yes")
    together = value("ece", [0, 1], [0, 0], [[0.6, 0.4], [0.59, 0.41]], labels=labels)
    assert together == pytest.approx(abs(1 - 0.6 - 0.59) / 2, abs=1e-12)
    apart = value("ece", [0, 1], [0, 0], [[0.6, 0.4], [0.61, 0.39]], labels=labels)
    assert apart == pytest.approx((0.4 + 0.61) / 2, abs=1e-12)


def test_ece_of_a_calibrated_model_falls_with_the_rows():
    """Its bias is upward and shrinks as 1/√n (Kumar et al. 2019)."""
    rng = np.random.default_rng(3)

    def calibrated(n):
        sure = rng.uniform(0.5, 1.0, n)
        truth = (rng.random(n) > sure).astype(int)
        return value("ece", truth, np.zeros(n, dtype=int), np.stack([sure, 1 - sure], axis=1), labels=("no", "yes"))

    few, many = np.mean([calibrated(100) for _ in range(50)]), np.mean([calibrated(10_000) for _ in range(50)])
    assert few > 0.05
    assert few / many == pytest.approx(10, rel=0.25)
