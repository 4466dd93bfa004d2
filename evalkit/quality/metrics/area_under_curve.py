"""Area under the ROC curve of one label, weighted by rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, FloatArray, IntArray, Weighted, ratio
from evalkit.quality.metrics.probabilities import probabilities_of

# Weights handled at a time: few enough that the few arrays of a block stay in the cache.
_BLOCK = 2**16


def auc_of(label: str) -> Weighted:
    """The chance that a row with the label is given a higher probability of it than a row without, ties counting
    half (Hanley & McNeil 1982, Radiology 143, 29–36). Undefined where all rows have it, or none.

    Rows are sorted once; each resample then costs one pass over its weights.
    """

    def given(answered: Answered) -> NDArray[np.floating[Any]]:
        return probabilities_of(answered)[:, answered.labels.index(label)]

    def prepare(answered: Answered) -> Callable[[FloatArray], FloatArray]:
        scores, true = given(answered), answered.true_for(label)
        with_label, without = (rows[np.argsort(scores[rows])] for rows in map(np.flatnonzero, (true, ~true)))
        lower, upper = (np.searchsorted(scores[without], scores[with_label], side=side) for side in ("left", "right"))

        def areas(weights: FloatArray) -> FloatArray:
            rows = max(1, _BLOCK // max(1, len(true)))
            parts = (weights[first : first + rows] for first in range(0, len(weights), rows))
            return np.concatenate([_areas(part[:, with_label], part[:, without], lower, upper) for part in parts])

        return areas

    return Weighted(
        name=f"auc:{label}",
        meaning="chance that a row with the label gets a higher probability of it than one without",
        unit="AUC",
        higher_is_better=True,
        range=SHARES,
        undefined=f"AUC needs rows with the label {label} and rows without",
        needs_probabilities=True,
        prepare=prepare,
        differ=lambda one, other: given(one) != given(other),
    )


def _areas(with_label: FloatArray, without: FloatArray, lower: IntArray, upper: IntArray) -> FloatArray:
    """Weights of the rows with the label [B, m] and without [B, l], both in order of rising score, to AUC [B].

    ``lower`` [m] is how many rows without the label score below each row with it, ``upper`` as much or below.
    """
    below = np.zeros((len(without), without.shape[1] + 1))
    np.cumsum(without, axis=1, out=below[:, 1:])
    beaten = below[:, lower] + below[:, upper]
    won = np.einsum("ij,ij->i", with_label, beaten) / 2
    return ratio(won, with_label.sum(axis=1) * below[:, -1])
