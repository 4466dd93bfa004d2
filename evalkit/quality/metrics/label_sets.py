"""Metrics of any number of labels a row, from counts of true label set × answered label set.

As with one label a row, a label that no row truly has is left out of an average over labels, for teacher and
student alike.
"""

from __future__ import annotations

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.confusion import f1_of_label, f1_of_sums, mean_f1, missed_or_claimed
from evalkit.quality.metrics.metric import SHARES, BoolArray, FloatArray, IntArray, Summed, mean, share, with_ones


def subset_accuracy() -> Summed:
    """Share of rows whose whole label set is right."""
    return share("accuracy", "share of rows whose whole label set is right", _all_right)


def macro_f1() -> Summed:
    """F1, averaged over the labels that occur in the truth."""
    return Summed(
        name="macro_f1",
        meaning="F1, averaged over the labels that occur",
        unit="mean F1",
        higher_is_better=True,
        range=SHARES,
        undefined="no row truly has any label",
        terms=_by_label,
        finish=mean_f1,
        cells=_both_sets,
        losses=_missed,
    )


def micro_f1() -> Summed:
    """F1 of all row–label pairs taken together; undefined where no label is true."""
    return Summed(
        name="micro_f1",
        meaning="F1 of all labels of all rows taken together",
        unit="F1",
        higher_is_better=True,
        range=SHARES,
        undefined="no row truly has any label",
        terms=lambda answered: np.stack(
            [part.sum(axis=1) for part in np.split(_by_label(answered), 3, axis=1)], axis=1
        ),
        finish=f1_of_sums,
        cells=_both_sets,
        losses=missed_or_claimed,
    )


def f1_of(label: str) -> Summed:
    """F1 of one label; undefined where no row truly has it."""
    return f1_of_label(label, "F1 of one label", _both_sets)


def hamming_loss() -> Summed:
    """Share of all row–label pairs that are wrong."""
    return Summed(
        name="hamming_loss",
        meaning="share of all labels of all rows that are wrong",
        unit="share of labels",
        higher_is_better=False,
        range=SHARES,
        terms=lambda answered: with_ones(np.mean(answered.truth != answered.predicted, axis=1, dtype=np.float64)),
        finish=mean,
        cells=_both_sets,
        losses=lambda _: np.array([[0.0, 1.0, 1.0, 1.0]]),
    )


def _all_right(answered: Answered) -> BoolArray:
    return np.asarray((answered.truth == answered.predicted).all(axis=1), dtype=np.bool_)


def _by_label(answered: Answered) -> FloatArray:
    """Right, true and claimed, each one column a label."""
    true, claimed = answered.truth, answered.predicted
    return np.hstack([true & claimed, true, claimed]).astype(np.float64)


def _missed(sums: FloatArray) -> FloatArray:
    """Each label that occurs, missed by the student."""
    _, true, _ = np.split(sums, 3)
    one = np.eye(len(true))[true > 0]
    none = np.zeros_like(one)
    return np.hstack([one, one, one, none, one, none])


def _both_sets(answered: Answered) -> IntArray:
    """A number for each pair of true and answered set."""
    bits = np.packbits(np.hstack([answered.truth, answered.predicted]), axis=1)
    whole = np.ascontiguousarray(bits).view([("", bits.dtype)] * bits.shape[1]).ravel()
    return np.unique(whole, return_inverse=True)[1].astype(np.int64)
