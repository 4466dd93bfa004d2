"""Paired bootstrap of any statistic of the held-out rows; rows that share a cluster are drawn together.

Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 14; whole clusters as in
Davison and Hinkley (1997), Bootstrap Methods and their Application, section 3.8. A row brings the
answers of both models along, which is what pairs the comparison. No table is resampled: a resample is
a vector of weights, how often each row is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.bca import bca_interval, too_few_units
from evalkit.stats.interval import Estimate
from evalkit.stats.preconditions import require_all, require_count, require_fraction
from evalkit.stats.resampling import resamples

METHOD = "paired bootstrap"
CLUSTER_METHOD = "paired cluster bootstrap"

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def bootstrap_sums(
    terms: FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    level: float,
    rng: np.random.Generator,
    *,
    counts: IntArray | None = None,
    clusters: IntArray | None = None,
    replicates: int = 2000,
) -> Estimate:
    """A statistic of column sums, such as a difference of means or of F1, with its paired BCa interval.

    ``terms``, shape (n, k), is what each row adds; ``statistic`` maps sums, shape (..., k), to values,
    shape (...), NaN where undefined. ``counts``, shape (n,), says how often each row occurs (once, if
    not given), ``clusters``, shape (n,), which rows belong together. Equal rows are drawn as one cell,
    so a discrete statistic costs cells, not rows. The acceleration comes from the exact jackknife,
    one unit (row or cluster) left out at a time. ``n`` of the result counts units.

    See ``bca_interval`` for the named fall-back and for what is not estimable.
    Raises ``ValueError`` for terms that are not finite, for shapes that do not fit, a negative count
    and a level outside (0, 1).

    >>> gap = np.repeat([[1.0, 1.0], [-1.0, 1.0], [0.0, 1.0]], [30, 10, 160], axis=0)  # gain or loss, 1
    >>> mean = bootstrap_sums(gap, lambda sums: sums[..., 0] / sums[..., 1], 0.90, np.random.default_rng(1))
    >>> f"{mean.lower:.2f} {mean.point:.2f} {mean.upper:.2f}; {mean.method}"  # 0.10 ± 1.645 · 0.031
    '0.05 0.10 0.15; paired bootstrap, BCa'
    """
    require_fraction("level", level)
    require_count("replicates", replicates, at_least=1)
    units, often = _units(terms, counts, clusters)
    n = int(often.sum())
    if n < 2:
        return too_few_units(n)
    total = often @ units
    point = float(_values(statistic, total[np.newaxis])[0])
    drawn = [_values(statistic, weights @ units) for weights in resamples(often, replicates, rng)]
    left_out = _values(statistic, total - units)
    method = METHOD if clusters is None else CLUSTER_METHOD
    return bca_interval(point, np.concatenate(drawn), left_out, level, n, method, often)


def _units(terms: FloatArray, counts: IntArray | None, clusters: IntArray | None) -> tuple[FloatArray, IntArray]:
    """What is drawn: the distinct terms of a unit, shape (m, k), and how many units have them, shape (m,)."""
    rows = np.asarray(terms, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"terms has shape {rows.shape}; give a row for each held-out row and a column for each sum")
    require_all("terms", rows, np.isfinite(rows), "a sum needs finite terms; drop or repair the others first")
    often = np.ones(len(rows), dtype=np.int64) if counts is None else np.asarray(counts, dtype=np.int64)
    _require_one_a_row("counts", often, len(rows))
    require_all("counts", often.astype(np.float64), often >= 0, "a count is at least 0")
    rows, present, often = rows[often > 0], often > 0, often[often > 0]
    if clusters is None:
        return _distinct(rows) if counts is None else (rows, often)
    _require_one_a_row("clusters", np.asarray(clusters), present.size)
    unit_of = np.unique(np.asarray(clusters)[present], return_inverse=True)[1]
    together = [np.bincount(unit_of, weights=often * column) for column in rows.T]
    return _distinct(np.stack(together, axis=1))


def _distinct(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """np.unique(rows, axis=0, return_counts=True), an order of magnitude faster on few columns."""
    ordered = rows[np.lexsort(rows.T)]
    first = np.concatenate([[True], np.any(ordered[1:] != ordered[:-1], axis=1)])[: len(rows)]
    starts = np.flatnonzero(first)
    return ordered[starts], np.diff(starts, append=len(rows)).astype(np.int64)


def _values(statistic: Callable[[FloatArray], FloatArray], given: FloatArray) -> FloatArray:
    values = np.asarray(statistic(given), dtype=np.float64)
    if values.shape != given.shape[:1]:
        raise ValueError(f"the statistic gives shape {values.shape} for {given.shape}; give one value a row")
    return values


def _require_one_a_row(name: str, values: NDArray[Any], n: int) -> None:
    if values.shape != (n,):
        raise ValueError(f"{name} has shape {values.shape}; give one for each of the {n} rows")
