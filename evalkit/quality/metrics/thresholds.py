"""Precision and recall of one label that is claimed wherever its probability reaches a threshold."""

from __future__ import annotations

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, BoolArray, FloatArray, IntArray, Summed, mean
from evalkit.quality.metrics.probabilities import probabilities_of


def precision_at(threshold: float, label: str) -> Summed:
    """Share of the rows claimed for the label that truly have it; undefined where a model claims none."""
    return Summed(
        name=f"precision@{threshold:g}:{label}",
        meaning="of the rows whose probability of the label reaches the threshold, the share that truly has it",
        unit="share of claimed rows",
        higher_is_better=True,
        range=SHARES,
        undefined=f"a model gives no row a probability of {label} of {threshold:g} or more",
        needs_probabilities=True,
        terms=lambda answered: _among(_claimed(answered, threshold, label), answered.true_for(label)),
        finish=mean,
        cells=lambda answered: _cells(answered, threshold, label),
        losses=lambda _: np.array([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]),
    )


def recall_at(threshold: float, label: str) -> Summed:
    """Share of the rows that truly have the label that are claimed for it; undefined where none has it."""
    return Summed(
        name=f"recall@{threshold:g}:{label}",
        meaning="of the rows that truly have the label, the share whose probability of it reaches the threshold",
        unit="share of true rows",
        higher_is_better=True,
        range=SHARES,
        undefined=f"no row truly has the label {label}",
        needs_probabilities=True,
        terms=lambda answered: _among(answered.true_for(label), _claimed(answered, threshold, label)),
        finish=mean,
        cells=lambda answered: _cells(answered, threshold, label),
        losses=lambda _: np.array([[1.0, 1.0, 0.0, 1.0]]),
    )


def _claimed(answered: Answered, threshold: float, label: str) -> BoolArray:
    return np.asarray(probabilities_of(answered)[:, answered.labels.index(label)] >= threshold, dtype=np.bool_)


def _among(whole: BoolArray, part: BoolArray) -> FloatArray:
    """Terms of the share of ``whole`` that is also in ``part``."""
    return np.stack([whole & part, whole], axis=1).astype(np.float64)


def _cells(answered: Answered, threshold: float, label: str) -> IntArray:
    return 2 * answered.true_for(label).astype(np.int64) + _claimed(answered, threshold, label)
