"""Rows of one cluster are worth less than as many independent rows; the design effect says how much less."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.interval import NotEstimable
from evalkit.stats.paired_counts import PairedCounts

FEWEST_CLUSTERS = 5
"""As few units as a bootstrap needs behind its spread (``evalkit.stats.bca``)."""
ROUNDING = 1e-9


def design_effect(values: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> float:
    """Variance of the mean of ``values`` [n] with whole clusters as units ÷ the variance with rows as units.

    The first is that of the jackknife that leaves out one cluster at a time: (k − 1)/k · Σ (tᵢ / (1 − hᵢ))² of k
    clusters, tᵢ the sum of a cluster's deviations from the mean and hᵢ its share of the rows. Undivided, the sum of
    a cluster with nearly all rows is next to 0, since the mean is nearly its own. Equal clusters get k/(k − 1) · Σ tᵢ².

    Never below 1: clusters that happen to look better than independent rows earn no credit. A single
    cluster counts for one row. With little variance to judge by, one pseudo-cluster whose rows are all alike is
    added, as large as the root mean square of the clusters: without any variance each of equally large clusters
    then counts for one row, and a student that loses one row is never better off than one that loses none. Without
    clusters it is 1.
    Sources: Rao & Scott 1992, "A simple method for the analysis of clustered binary data", Biometrics 48; Bell &
    McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage samples", Survey
    Methodology 28; CV3 of Cameron & Miller 2015, "A practitioner's guide to cluster-robust inference", JHR 50.

    >>> design_effect(np.array([0., 0., 1., 1.]), np.array([0, 0, 1, 1]))
    4.0
    >>> design_effect(np.array([1., 0., 0., 0.]), np.array([0, 1, 1, 1]))  # 1/2 · ((3/4 / 3/4)² + (3/4 / 1/4)²) ÷ 3/4
    6.666666666666667
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


def too_few_clusters(
    clusters: NDArray[np.int64] | None, weights: NDArray[np.float64] | None = None
) -> NotEstimable | None:
    """Why nothing is to be said of rows in so few ``clusters`` [n], or None where there are enough of them.

    What counts is the effective number of clusters, 1/Σ hᵢ², with hᵢ the share of the rows (or of their ``weights``
    [n]) in a cluster: k where all are as large, hardly more than 1 where one has nearly all. Below 5 the spread between
    clusters is itself unknown. ``n_needed`` are the rows at which there are 5, each further row a cluster of its own;
    of weighted rows it is not known.
    Source: Kish 1965, "Survey Sampling"; Carter, Schnepel & Steigerwald 2017, "Asymptotic behavior of a t-test robust
    to cluster heterogeneity", Review of Economics and Statistics 99.

    >>> too_few_clusters(np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 4])).reason
    'the rows are worth 2.5 equal clusters (of 5, one holds 60.0 % of them); at least 5 are needed'
    """
    if clusters is None or len(clusters) == 0:
        return None
    _, numbers = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(numbers, weights=weights).astype(np.float64)
    shares = sizes / sizes.sum()
    effective = 1.0 / float((shares**2).sum())
    if effective >= FEWEST_CLUSTERS * (1.0 - ROUNDING):
        return None
    return NotEstimable(
        reason=(
            f"the rows are worth {effective:.1f} equal clusters (of {len(sizes)}, one holds {100 * shares.max():.1f} % "
            f"of them); at least {FEWEST_CLUSTERS} are needed"
        ),
        n=len(clusters),
        n_needed=_rows_for_enough(len(clusters), effective) if weights is None else None,
    )


def _rows_for_enough(n: int, effective: float) -> int:
    """n + x, where x more clusters of one row make (n + x)² ÷ (n² ÷ effective + x) the fewest that are enough."""
    half = n - FEWEST_CLUSTERS / 2
    further = math.sqrt(half**2 - n**2 * (1.0 - FEWEST_CLUSTERS / effective)) - half
    return n + math.ceil(further * (1.0 - ROUNDING))


def _design_effect(values: NDArray[np.float64], numbers: NDArray[np.int64]) -> float:
    """With the clusters numbered from 0 on, none left out."""
    n = len(values)
    centred = values - values.mean()
    sizes = np.bincount(numbers)
    count = len(sizes)
    if count < 2:
        return float(n)
    left_out = np.bincount(numbers, weights=centred) / (1.0 - sizes / n)
    independent = float((centred**2).sum())
    between = (count - 1) / count * float((left_out**2).sum())
    size = math.sqrt(float((sizes**2).mean()))
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
