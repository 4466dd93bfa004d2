"""Rows of one cluster are worth less than as many independent rows; the design effect says how much less."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.paired_counts import PairedCounts


def design_effect(values: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> float:
    """Variance of the mean of ``values`` [n] with whole clusters as units ÷ the variance with rows as units.

    Never below 1: clusters that happen to look better than independent rows earn no credit. A single
    cluster counts for one row. With little variance to judge by, one pseudo-cluster of average size whose rows
    are all alike is added: without any variance each cluster then counts for one row, and a student that
    loses one row is never better off than one that loses none. Without clusters it is 1.
    Source: Rao & Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics 48.

    >>> design_effect(np.array([0., 0., 1., 1.]), np.array([0, 0, 1, 1]))
    4.0
    """
    return design_effects((values,), clusters)[0]


def design_effects(columns: Sequence[NDArray[np.float64]], clusters: NDArray[np.int64] | None) -> tuple[float, ...]:
    """``design_effect`` of several values of the same rows, each [n]; the clusters are sorted once for all.

    >>> design_effects((np.array([0., 0., 1., 1.]), np.zeros(4)), np.array([0, 0, 1, 1]))
    (4.0, 2.0)
    """
    if clusters is None or len(clusters) < 2:
        return (1.0,) * len(columns)
    _, numbers = np.unique(clusters, return_inverse=True)
    return tuple(_design_effect(values, numbers) for values in columns)


def _design_effect(values: NDArray[np.float64], numbers: NDArray[np.int64]) -> float:
    """With the clusters numbered from 0 on, none left out."""
    n = len(values)
    centred = values - values.mean()
    totals = np.bincount(numbers, weights=centred)
    count = len(totals)
    if count < 2:
        return float(n)
    independent = float((centred**2).sum())
    between = count / (count - 1) * float((totals**2).sum())
    size = n / count
    cautious = (between + size**2) / (independent + size)
    return max(1.0, cautious, between / independent if independent else 1.0)


def deflate(counts: PairedCounts, effect: float) -> PairedCounts:
    """Counts as if only n ÷ ``effect`` rows had been seen, in the same proportions; what cannot be halved is
    rounded against the student."""
    if effect == 1.0:
        return counts
    return PairedCounts(
        both=round(counts.both / effect),
        student_only=math.floor(counts.student_only / effect),
        teacher_only=math.ceil(counts.teacher_only / effect),
        neither=round(counts.neither / effect),
    )
