"""Metrics of one label a row, from counts of truth × answer.

A label that no row truly has is left out of an average over labels, for teacher and student alike, whatever they
answer: scikit-learn does the same with ``labels=`` the labels present in the truth. In a resample the same holds
for the labels present in it. An answer outside the labels is wrong, and claims no label: it costs the true label its
recall and none its precision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import (
    SHARES,
    BoolArray,
    FloatArray,
    IntArray,
    Summed,
    mean_where,
    ratio,
    share,
)


def accuracy() -> Summed:
    """Share of rows with the right label."""
    return share("accuracy", "share of rows with the right label", _right)


def balanced_accuracy() -> Summed:
    """Mean recall over the labels that occur in the truth."""
    return Summed(
        name="balanced_accuracy",
        meaning="recall, averaged over the labels that occur",
        unit="mean recall",
        higher_is_better=True,
        range=SHARES,
        terms=_by_label,
        finish=_mean_recall,
        cells=_truth_and_answer,
        losses=_confused,
    )


def macro_f1() -> Summed:
    """F1, averaged over the labels that occur in the truth."""
    return Summed(
        name="macro_f1",
        meaning="F1, averaged over the labels that occur",
        unit="mean F1",
        higher_is_better=True,
        range=SHARES,
        terms=_by_label,
        finish=mean_f1,
        cells=_truth_and_answer,
        losses=_confused,
    )


def f1_of(label: str) -> Summed:
    """F1 of one label against all others; undefined where no row truly has it."""
    return f1_of_label(label, "F1 of one label against all others", _truth_and_answer)


def f1_of_label(label: str, meaning: str, cells: Callable[[Answered], IntArray]) -> Summed:
    """F1 of one label in any task with labels; ``cells`` numbers the answers that count alike."""

    def terms(answered: Answered) -> FloatArray:
        true, claimed = answered.true_for(label), answered.claimed_for(label)
        return np.stack([true & claimed, true, claimed], axis=1).astype(np.float64)

    return Summed(
        name=f"f1:{label}",
        meaning=meaning,
        unit="F1",
        higher_is_better=True,
        range=SHARES,
        undefined=f"no row truly has the label {label}",
        terms=terms,
        finish=f1_of_sums,
        cells=cells,
        losses=missed_or_claimed,
    )


def f1_of_sums(sums: FloatArray) -> FloatArray:
    """F1 from the sums of right, true and claimed, [..., 3]."""
    return f1(sums[..., 0], sums[..., 1], sums[..., 2])


def f1(right: FloatArray, true: FloatArray, claimed: FloatArray) -> FloatArray:
    """2 · right ÷ (true + claimed), from counts; NaN where no row is true."""
    return np.where(true > 0, ratio(2 * right, true + claimed), np.nan)


def mean_f1(sums: FloatArray) -> FloatArray:
    """Sums of right, true and claimed rows by label, [..., 3 · labels], to the mean F1 of the labels that occur."""
    labels = sums.shape[-1] // 3
    right, true, claimed = sums[..., :labels], sums[..., labels : 2 * labels], sums[..., 2 * labels :]
    occurs = true > 0
    of_labels = np.divide(2 * right, true + claimed, out=np.zeros(right.shape), where=occurs)
    # A product with ones is a sum, and several times faster over so few labels.
    ones = np.ones(labels)
    return ratio(of_labels @ ones, occurs @ ones)


def missed_or_claimed(_: FloatArray) -> FloatArray:
    """Losses of the F1 of one label: a true row that the student misses, another row that it claims."""
    return np.array([[1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1]], dtype=np.float64)


def _confused(sums: FloatArray) -> FloatArray:
    """A row of each label that occurs, taken by the student for the rarest other one."""
    _, true, _ = np.split(sums, 3)
    by_rarity = np.argsort(np.where(true > 0, true, np.inf), kind="stable")
    labels = np.flatnonzero(true)
    taken_for = np.where(labels == by_rarity[0], by_rarity[1], by_rarity[0])
    one = np.eye(len(true))
    none = np.zeros((len(labels), len(true)))
    teacher = [one[labels], one[labels], one[labels]]
    return np.hstack([*teacher, none, one[labels], one[taken_for]])


def _mean_recall(sums: FloatArray) -> FloatArray:
    right, true, _ = np.split(sums, 3, axis=-1)
    return mean_where(ratio(right, true), true > 0)


def _right(answered: Answered) -> BoolArray:
    return np.asarray(answered.truth == answered.predicted, dtype=np.bool_)


def _by_label(answered: Answered) -> FloatArray:
    """Right, true and claimed, each one column a label."""
    numbers = np.arange(len(answered.labels))
    true = answered.truth[:, np.newaxis] == numbers
    claimed = answered.predicted[:, np.newaxis] == numbers
    return np.hstack([true & claimed, true, claimed]).astype(np.float64)


def _truth_and_answer(answered: Answered) -> IntArray:
    """Each pair of truth and answer as its own number; an answer may also be none of the labels."""
    return np.asarray(answered.truth * (len(answered.labels) + 1) + answered.predicted, dtype=np.int64)
