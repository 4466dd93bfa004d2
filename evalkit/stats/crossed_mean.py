"""The mean over rows and trainings that are crossed: every trained model answers every row.

A trained model is one draw: another seed gives another model. The rows are a sample too. The variance of the mean is
that of the row means, plus that of the training means, less the residual that both contain: Cornfield and Tukey (1956),
Annals of Mathematical Statistics 27, 907–949. Its degrees of freedom are Satterthwaite's (1946), Biometrics Bulletin 2,
110–114. Where rows belong together the clusters take the rows' place, by the pseudo-values of the jackknife that leaves
out one cluster at a time: Tukey (1958), Annals of Mathematical Statistics 29, 614.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_fraction

FEWEST_ROWS = 30
FEWEST_CLUSTERS = 10
"""Effective ones; a t interval over fewer means of unequal clusters covers too seldom."""
ENOUGH_SEEDS = 3
"""Fewer trainings than these carry no claim about training, though two have a variance."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def crossed_mean(values: FloatArray, level: float, clusters: IntArray | None = None) -> Estimate:
    """The mean of ``values`` [trainings, rows] with a t interval at two-sided ``level``.

    ``clusters`` [rows] says which rows belong together. With one or two trainings the interval is over rows alone, of
    these trainings and no others, and its ``method`` says so. Not estimable: fewer than 30 rows, fewer than 10
    effective clusters, and values that are the same for every row of a training. ``n`` counts rows, or clusters.
    Raises ValueError for other shapes and a level outside (0, 1).

    >>> rng = np.random.default_rng(1)
    >>> mean = crossed_mean(rng.normal(0.3, 0.1, (1, 400)), level=0.90)
    >>> f"{mean.lower:.3f} {mean.point:.3f} {mean.upper:.3f}; {mean.n}"
    '0.284 0.292 0.299; 400'
    """
    require_fraction("level", level)
    trainings, rows = _shape(values, clusters)
    few = too_few(rows, clusters)
    if few is not None:
        return few
    units = values if clusters is None else _pseudo_values(values, clusters)
    if np.ptp(units, axis=1).max() <= 1e-12:
        what = "row" if clusters is None else "cluster"
        return NotEstimable(reason=f"all are alike on every {what}, which has no variance", n=units.shape[1])
    freedom_of_units = (units.shape[1] if clusters is None else effective_clusters(clusters)) - 1
    squared, freedom = _variance(units, freedom_of_units)
    half = float(student_t.ppf((1 + level) / 2, freedom)) * math.sqrt(squared)
    point = float(values.mean())
    return Interval(
        point=point,
        lower=point - half,
        upper=point + half,
        level=level,
        n=units.shape[1],
        method=_method(trainings, "rows" if clusters is None else "clusters"),
    )


def too_few(rows: int, clusters: IntArray | None) -> NotEstimable | None:
    """Why nothing is said of so few rows or effective clusters; None where there are enough."""
    if rows < FEWEST_ROWS:
        return NotEstimable(reason=f"{rows} rows; {FEWEST_ROWS} are needed", n=rows, n_needed=FEWEST_ROWS)
    if clusters is not None and effective_clusters(clusters) < FEWEST_CLUSTERS:
        found = effective_clusters(clusters)
        return NotEstimable(
            reason=f"the rows lie in {found:.3g} effective clusters; {FEWEST_CLUSTERS} are needed",
            n=len(np.unique(clusters)),
            n_needed=FEWEST_CLUSTERS,
        )
    return None


def effective_clusters(clusters: IntArray) -> float:
    """1 ÷ Σ h², with h the share of the rows that each cluster has: as many as there are where all are equally large.

    >>> effective_clusters(np.array([1, 1, 2, 2])), round(effective_clusters(np.array([1, 1, 1, 2])), 2)
    (2.0, 1.6)
    """
    shares = np.unique(clusters, return_counts=True)[1] / len(clusters)
    return float(1.0 / (shares**2).sum())


def _shape(values: FloatArray, clusters: IntArray | None) -> tuple[int, int]:
    if values.ndim != 2 or not values.size:
        raise ValueError(f"values has shape {values.shape}; give [trainings, rows]")
    if clusters is not None and clusters.shape != values.shape[1:]:
        raise ValueError(f"clusters has shape {clusters.shape}; give one for each of the {values.shape[1]} rows")
    return values.shape[0], values.shape[1]


def _pseudo_values(values: FloatArray, clusters: IntArray) -> FloatArray:
    """k · mean − (k − 1) · mean without the cluster [trainings, k]; of equal clusters their own means."""
    numbers = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    sums = np.stack([np.bincount(numbers, weights=row) for row in values])
    total, k = sums.sum(axis=1, keepdims=True), len(sizes)
    rows = values.shape[1]
    return np.asarray(k * total / rows - (k - 1) * (total - sums) / (rows - sizes), dtype=np.float64)


def _variance(units: FloatArray, freedom_of_units: float) -> tuple[float, float]:
    """Variance of the mean of ``units`` [trainings, units], and its degrees of freedom."""
    trainings, count = units.shape
    by_unit = float(units.mean(axis=0).var(ddof=1)) / count
    if trainings < ENOUGH_SEEDS:
        alone = float(units.var(ddof=1)) / units.size
        return (by_unit if by_unit > 0 else alone), freedom_of_units
    by_training = float(units.mean(axis=1).var(ddof=1)) / trainings
    residual = _residual(units) / units.size
    total = max(by_unit + by_training - residual, by_unit, by_training)
    freedom = total**2 / (by_unit**2 / freedom_of_units + by_training**2 / (trainings - 1))
    return total, max(float(freedom), trainings - 1.0)


def _residual(units: FloatArray) -> float:
    """Mean square of what neither the unit nor the training explains."""
    trainings, count = units.shape
    left = units - units.mean(axis=0) - units.mean(axis=1, keepdims=True) + units.mean()
    return float((left**2).sum() / ((trainings - 1) * (count - 1)))


def _method(trainings: int, units: str) -> str:
    jackknife = "" if units == "rows" else ", jackknife of whole clusters"
    if trainings < ENOUGH_SEEDS:
        counted = f"{trainings} training{'s' if trainings > 1 else ''}"
        return f"t over {units}{jackknife}, of {counted}; other seeds not counted"
    return f"{units} and {trainings} seeds crossed{jackknife}, Satterthwaite t"
