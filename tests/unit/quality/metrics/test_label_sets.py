"""Metrics of label sets equal scikit-learn's on indicator matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, log_loss

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import metric

LABELS = ("a", "b", "c")


def answers(truth, predicted, probabilities=None):
    return Answered(
        model="student",
        labels=LABELS,
        truth=np.asarray(truth, dtype=bool),
        predicted=np.asarray(predicted, dtype=bool),
        probabilities=probabilities,
    )


def value(name, given):
    return metric(name, "multilabel").value(given)


@pytest.fixture
def given():
    rng = np.random.default_rng(5)
    return answers(rng.random((200, 3)) < 0.4, rng.random((200, 3)) < 0.4, rng.random((200, 3)))


def test_every_metric_of_sets_is_scikit_learns(given):
    truth, predicted = given.truth, given.predicted
    assert value("accuracy", given) == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert value("macro_f1", given) == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-12)
    assert value("micro_f1", given) == pytest.approx(f1_score(truth, predicted, average="micro"), abs=1e-12)
    assert value("hamming_loss", given) == pytest.approx(hamming_loss(truth, predicted), abs=1e-12)
    for number, label in enumerate(LABELS):
        expected = f1_score(truth[:, number], predicted[:, number])
        assert value(f"f1:{label}", given) == pytest.approx(expected, abs=1e-12)


def test_losses_are_averaged_over_labels(given):
    """Each label's own binary log loss and Brier score, then their mean."""
    by_label = [log_loss(given.truth[:, k], given.probabilities[:, k]) for k in range(3)]
    assert value("log_loss", given) == pytest.approx(np.mean(by_label), abs=1e-12)
    squares = (given.probabilities - given.truth) ** 2
    assert value("brier", given) == pytest.approx(squares.mean(axis=0).mean(), abs=1e-12)


def test_a_label_that_no_row_has_is_left_out_of_the_mean():
    given = answers([[1, 0, 0], [1, 0, 0]], [[1, 1, 0], [0, 0, 0]])
    assert value("macro_f1", given) == pytest.approx(2 / 3, abs=1e-12)
    assert math.isnan(value("f1:b", given))


def test_without_any_true_label_f1_is_undefined_and_hamming_loss_is_not():
    given = answers([[0, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]])
    assert math.isnan(value("macro_f1", given))
    assert math.isnan(value("micro_f1", given))
    assert value("hamming_loss", given) == pytest.approx(1 / 6, abs=1e-12)
    assert value("accuracy", given) == 0.5
