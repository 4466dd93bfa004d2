"""Metrics of the probabilities that a model gives. Both models must have given them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import DataError
from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, BoolArray, FloatArray, Summed, mean, share, with_ones

NO_PROBABILITIES = "no probabilities of the {} are recorded"

SMALLEST = float(np.finfo(np.float32).eps)
"""Probabilities are raised to this, 1.2e-7, before their logarithm is taken: a sure and wrong answer costs 15.9 nats.
scikit-learn clips probabilities of 32 bits, as evalkit records them, at the same."""

NATS = (0.0, -math.log(SMALLEST))


def probabilities_of(answered: Answered) -> NDArray[np.floating[Any]]:
    """The probabilities [n, labels]. Raises DataError where the model gave none."""
    if answered.probabilities is None:
        raise DataError(NO_PROBABILITIES.format(answered.model))
    return answered.probabilities


def probability_of(answered: Answered, numbers: NDArray[np.int64]) -> FloatArray:
    """The probability that the model gives to one label of each row, [n]."""
    given = probabilities_of(answered)
    return given[np.arange(len(given)), numbers].astype(np.float64)


def log_loss() -> Summed:
    """Mean of −log of the probability given to the true label, in nats; probabilities below 1.2e-7 count as that.

    So it is 15.9 at most, and a margin below that is allowed, however little it asks: to give each of two labels the
    same probability costs 0.69.
    """

    def terms(answered: Answered) -> FloatArray:
        return with_ones(-np.log(np.maximum(probability_of(answered, answered.truth), SMALLEST)))

    return _loss("log_loss", "mean of −log of the probability of the true label", "nats", NATS, terms)


def brier(labels: int = 3) -> Summed:
    """Mean squared distance of the probabilities from the truth (Brier 1950, Monthly Weather Review 78, 1–3).

    From 0 to 2, and halved, from 0 to 1, for a task of two ``labels``, as scikit-learn does.
    """

    def terms(answered: Answered) -> FloatArray:
        given = probabilities_of(answered)
        squares = np.einsum("ij,ij->i", given, given, dtype=np.float64)
        true = probability_of(answered, answered.truth)
        distance = squares - 2 * true + 1
        return with_ones(distance / 2 if len(answered.labels) == 2 else distance)

    highest = 1.0 if labels == 2 else 2.0
    meaning = "mean squared distance of the probabilities from the truth"
    return _loss("brier", meaning, "squared distance", (0.0, highest), terms)


def label_log_loss() -> Summed:
    """For label sets: −log of the probability given to what is true of each label, averaged over rows and labels."""

    def terms(answered: Answered) -> FloatArray:
        given = probabilities_of(answered).astype(np.float64)
        of_truth = np.where(answered.truth, given, 1 - given)
        return with_ones(-np.log(np.maximum(of_truth, SMALLEST)).mean(axis=1))

    return _loss("log_loss", "mean of −log of the probability of what is true of each label", "nats", NATS, terms)


def label_brier() -> Summed:
    """For label sets: squared distance of each label's probability from its truth, averaged over rows and labels."""

    def terms(answered: Answered) -> FloatArray:
        given = probabilities_of(answered).astype(np.float64)
        return with_ones(((given - answered.truth) ** 2).mean(axis=1))

    meaning = "mean squared distance of each label's probability from its truth"
    return _loss("brier", meaning, "squared distance", SHARES, terms)


def top_k(k: int) -> Summed:
    """Share of rows whose true label is among the k likeliest; labels as likely as the true one count as before it."""

    def hits(answered: Answered) -> BoolArray:
        true = probability_of(answered, answered.truth)
        ahead = (probabilities_of(answered) >= true[:, np.newaxis]).sum(axis=1)
        return np.asarray(ahead <= k, dtype=np.bool_)

    return share(f"top@{k}", "share of rows whose label is among the k likeliest", hits, needs_probabilities=True)


def _loss(
    name: str, meaning: str, unit: str, possible: tuple[float, float], terms: Callable[[Answered], FloatArray]
) -> Summed:
    return Summed(
        name=name,
        meaning=meaning,
        unit=unit,
        higher_is_better=False,
        range=possible,
        needs_probabilities=True,
        terms=terms,
        finish=mean,
    )
