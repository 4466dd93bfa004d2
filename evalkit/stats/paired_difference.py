"""The paired difference of two proportions, student − teacher, on the same rows.

Tango, T. (1998), "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17, 891–908. With b rows that only the student gets
right, c rows that only the teacher gets right and n rows in all, the score statistic for Δ = Δ0 is

    T(Δ0) = (b − c − n Δ0) / sqrt(n (2 q + Δ0 (1 − Δ0)))

where q is the maximum likelihood estimate of P(only the teacher is right) under Δ = Δ0, the larger
root of a quadratic. The interval holds the Δ0 with |T(Δ0)| ≤ z. At Δ0 = 0 it is McNemar's test
without continuity correction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.preconditions import require_all, require_fraction
from evalkit.stats.score_root import crossing

METHOD = "Tango 1998 score interval"

FloatArray = NDArray[np.float64]


def tango_z(student_only: ArrayLike, teacher_only: ArrayLike, n: ArrayLike, difference: ArrayLike) -> FloatArray:
    """The score statistic for H0: Δ = ``difference``; large values speak for a larger Δ.

    All arguments broadcast; the result has their common shape and is standard normal under H0 for
    large n. Swapping b and c and negating ``difference`` negates it exactly.

    Raises ``ValueError`` for impossible counts or a difference outside [−1, 1].

    >>> round(float(tango_z(1, 7, 21, 0.0)), 4)  # McNemar: (1 − 7) / sqrt(1 + 7)
    -2.1213
    """
    b, c, rows = _counts(student_only, teacher_only, n)
    null = np.asarray(difference, dtype=np.float64)
    require_all("difference", null, np.abs(null) <= 1, "a difference of proportions lies in [-1, 1]")
    return _score(b, c, rows, null)


def tango_bounds(
    student_only: ArrayLike, teacher_only: ArrayLike, n: ArrayLike, level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bounds of Δ at two-sided confidence ``level``; counts broadcast.

    With b = c = 0 they are ±z²/(n + z²). With b = n the upper is exactly 1, with c = n the lower −1.

    Raises ``ValueError`` for impossible counts or a level outside (0, 1).

    >>> lower, upper = tango_bounds([9, 16], [3, 8], [32, 86], 0.95)
    >>> lower.round(3), upper.round(3)
    (array([-0.027, -0.02 ]), array([0.39 , 0.207]))
    """
    require_fraction("level", level)
    b, c, rows = np.broadcast_arrays(*_counts(student_only, teacher_only, n))
    z = float(norm.ppf((1 + level) / 2))
    point = (b - c) / rows
    one = np.ones_like(point)

    def statistic(null: FloatArray) -> FloatArray:
        return _score(b, c, rows, null)

    return crossing(statistic, z, -one, point), crossing(statistic, -z, point, one)


def difference(counts: PairedCounts, level: float) -> Estimate:
    """Student − teacher accuracy with its Tango interval, or why there is none.

    >>> both_ways = PairedCounts(both=53, student_only=16, teacher_only=8, neither=9)
    >>> gap = difference(both_ways, level=0.95)
    >>> f"{gap.lower:.3f} {gap.point:.3f} {gap.upper:.3f}"
    '-0.020 0.093 0.207'
    """
    require_fraction("level", level)
    if counts.n == 0:
        return NotEstimable(reason="there are no rows", n=0, n_needed=1)
    lower, upper = tango_bounds(counts.student_only, counts.teacher_only, counts.n, level)
    return Interval(
        point=(counts.student_only - counts.teacher_only) / counts.n,
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=counts.n,
        method=METHOD,
    )


def p_not_worse(counts: PairedCounts, margin: float) -> float:
    """One-sided p-value of H0: Δ ≤ −margin against Δ > −margin (non-inferiority).

    Below α exactly when the lower bound of the interval at level 1 − 2α lies above −margin. No rows
    reject nothing, so their p-value is 1.

    >>> identical = PairedCounts(both=50, student_only=0, teacher_only=0, neither=2)
    >>> p_not_worse(identical, margin=0.05) < 0.05  # 52 rows are the fewest that can
    True
    """
    return _p_value(counts, margin, sign=1)


def p_worse(counts: PairedCounts, margin: float) -> float:
    """One-sided p-value of H0: Δ ≥ −margin against Δ < −margin (the loss exceeds the margin).

    Below α exactly when the upper bound of the interval at level 1 − 2α lies below −margin. No rows
    reject nothing, so their p-value is 1.

    >>> worse = PairedCounts(both=50, student_only=0, teacher_only=40, neither=10)
    >>> p_worse(worse, margin=0.05) < 0.001
    True
    """
    return _p_value(counts, margin, sign=-1)


def _p_value(counts: PairedCounts, margin: float, sign: int) -> float:
    require_fraction("margin", margin)
    if counts.n == 0:
        return 1.0
    z = tango_z(counts.student_only, counts.teacher_only, counts.n, -margin)
    return float(norm.sf(sign * float(z)))


def _counts(b: ArrayLike, c: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    only_student, only_teacher, rows = (np.asarray(x, dtype=np.float64) for x in (b, c, n))
    require_all("n", rows, rows >= 1, "a difference needs at least 1 row")
    require_all("student_only", only_student, only_student >= 0, "a count is at least 0")
    require_all("teacher_only", only_teacher, only_teacher >= 0, "a count is at least 0")
    excess = np.asarray(only_student + only_teacher - rows)
    require_all("student_only + teacher_only - n", excess, excess <= 0, "they are among the n rows")
    return only_student, only_teacher, rows


def _score(b: FloatArray, c: FloatArray, n: FloatArray, null: FloatArray) -> FloatArray:
    """T(null). Positive nulls are reflected, because for null ≤ 0 nothing below cancels."""
    reflected = null > 0
    loss = np.abs(null)
    gains, losses = np.where(reflected, c, b), np.where(reflected, b, c)
    distance = gains - losses + n * loss
    variance = n * (2 * _losses_under_null(gains, losses, n, loss) - loss * (1 + loss))
    spread = np.sqrt(np.maximum(variance, 0.0))
    # A spread of 0 comes only with a distance of 0, or with the impossible nulls ±1.
    beyond = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    score: FloatArray = np.divide(distance, spread, out=beyond, where=spread > 0)
    return np.where(reflected, -score, score)


def _losses_under_null(gains: FloatArray, losses: FloatArray, n: FloatArray, loss: FloatArray) -> FloatArray:
    """Maximum likelihood P(loss) under P(gain) − P(loss) = −loss: larger root of 2n q² − k q + C = 0."""
    k = gains + losses + (2 * n - gains + losses) * loss
    discriminant = k * k - 8 * n * losses * loss * (1 + loss)
    return (k + np.sqrt(np.maximum(discriminant, 0.0))) / (4 * n)
