"""Rows of one cluster are worth less than as many independent rows; the design effect says how much less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.paired_counts import PairedCounts


def design_effect(values: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> float:
    """Variance of the mean of ``values`` [n] with whole clusters as units ÷ the variance with rows as units.

    Never below 1: clusters that happen to look better than independent rows earn no credit. Where the rows
    say nothing of how alike a cluster is (no variance at all, or a single cluster), each cluster counts for
    one row. Without clusters it is 1.
    Source: Rao & Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics 48.

    >>> design_effect(np.array([0., 0., 1., 1.]), np.array([0, 0, 1, 1]))
    4.0
    """
    n = len(values)
    if clusters is None or n < 2:
        return 1.0
    centred = values - values.mean()
    _, numbers = np.unique(clusters, return_inverse=True)
    totals = np.bincount(numbers, weights=centred)
    count = len(totals)
    independent = float((centred**2).sum())
    if count < 2 or independent == 0.0:
        return n / count
    return max(1.0, count / (count - 1) * float((totals**2).sum()) / independent)


def deflate(counts: PairedCounts, effect: float) -> PairedCounts:
    """Counts as if only n ÷ ``effect`` rows had been seen, in the same proportions."""
    if effect == 1.0:
        return counts
    return PairedCounts(
        both=round(counts.both / effect),
        student_only=round(counts.student_only / effect),
        teacher_only=round(counts.teacher_only / effect),
        neither=round(counts.neither / effect),
    )
