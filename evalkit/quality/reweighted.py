"""The gap as production would see it: groups of held-out rows averaged by their share of the traffic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.data.weights import WeightedGrouping, weighted_groupings
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.design_effect import design_effect, too_few_clusters
from evalkit.quality.paired_gap import EVIDENCE, GAP, right
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.weighted_difference import METHOD, weighted_bounds

WEIGHTED = f"{ALL_ROWS}, weighted by "

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def weighted_by(grouping: str) -> str:
    """The subpopulation of the average over the groups of ``grouping`` with the weights that the spec gives them.

    >>> weighted_by("channel")
    'all, weighted by channel'
    """
    return f"{WEIGHTED}{grouping}"


def reweighted_measurements(
    table: pd.DataFrame, found: Sequence[Group], cluster: str | None, level: float
) -> tuple[Measurement, ...]:
    """Δ_w = Σ w_g Δ_g for every grouping whose groups have weights, w_g the share of production.

    ``level`` is the interval's two-sided confidence. Each group's rows count for as many as their design
    effect (Rao & Scott 1992) leaves; clusters that lie in several groups count for less again. There is no
    estimate where a group with a share has no rows, nor where too few clusters carry the average. The measurement
    has no ``counts``: no four counts of a single sample say what a weighted average says, so its claim is decided
    on the bounds alone.
    """
    groupings = weighted_groupings(found)
    if not groupings:
        return ()
    gain = right(table, STUDENT).astype(np.int64) - right(table, TEACHER)
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    return tuple(
        Measurement(
            name=GAP,
            subpopulation=weighted_by(grouping.name),
            unit="share of rows",
            value=_weighted_gap(grouping, gain, clusters, level),
            evidence=EVIDENCE,
        )
        for grouping in groupings
    )


def _weighted_gap(grouping: WeightedGrouping, gain: Numbers, clusters: Numbers | None, level: float) -> Estimate:
    """``gain`` [n] is 1 where only the student is right, −1 where only the teacher is."""
    members = [(group, share) for group, share in zip(grouping.groups, grouping.shares.tolist(), strict=True) if share]
    empty = [group.name for group, _ in members if group.n == 0]
    rows = sum(group.n for group, _ in members)
    if empty:
        return NotEstimable(reason=f"no row of {_listed(empty)}, which production has", n=rows)
    own = [gain[group.rows] for group, _ in members]
    shares = np.array([share for _, share in members])
    n = np.array([len(each) for each in own], dtype=np.float64)
    gaps = np.array([each.mean() for each in own])
    effects = np.ones(len(members))
    if clusters is not None:
        numbers = [clusters[group.rows] for group, _ in members]
        too_few = too_few_clusters(np.concatenate(numbers), np.repeat(shares / n, n.astype(np.int64)))
        if too_few is not None:
            return too_few
        within = [design_effect(each.astype(np.float64), number) for each, number in zip(own, numbers, strict=True)]
        effects = np.array(within) * _spanning_effect(own, gaps, shares / n, numbers)
    lower, upper = weighted_bounds(
        np.array([(each > 0).sum() for each in own]) / effects,
        np.array([(each < 0).sum() for each in own]) / effects,
        n / effects,
        shares,
        level,
    )
    return Interval(
        point=float(shares @ gaps / shares.sum()),
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=max(1, round(float((n / effects).sum()))),
        method=METHOD if clusters is None else f"{METHOD}, effective rows of {rows} (Rao–Scott)",
    )


def _spanning_effect(
    gains: Sequence[Numbers], gaps: Floats, weight_of_a_row: Floats, clusters: Sequence[Numbers]
) -> float:
    """Variance of the average with clusters drawn whole ÷ as if each group had clusters of its own; at least 1.

    A pseudo-cluster of average weight whose rows are all alike is added to both, as in ``design_effect``: where
    nothing differs, a cluster of which every group has a row counts for one row and not for one a group.
    """
    sizes = [len(each) for each in gains]
    group = np.repeat(np.arange(len(gains)), sizes)
    weight = np.repeat(weight_of_a_row, sizes)
    moved = weight * (np.concatenate(gains) - np.repeat(gaps, sizes))
    _, cluster = np.unique(np.concatenate(clusters), return_inverse=True)
    _, part = np.unique(cluster * len(gains) + group, return_inverse=True)
    pseudo = 1 / (int(cluster.max()) + 1)
    whole, parts = (
        float((np.bincount(unit, weights=moved) ** 2).sum() + pseudo * (np.bincount(unit, weights=weight) ** 2).sum())
        for unit in (cluster, part)
    )
    return max(1.0, whole / parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
