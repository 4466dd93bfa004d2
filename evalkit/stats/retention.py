"""Retention: the student's accuracy as a share of its teacher's, on the same rows.

Tang, N.-S., Tang, M.-L. and Chan, I. S. F. (2003), "On tests of equivalence via non-unity relative
risk for matched-pair design", Statistics in Medicine 22, 1217–1233; the same statistic is in Nam, J.
and Blackwelder, W. C. (2002), "Analysis of the ratio of marginal probabilities in a matched-pair
setting", Statistics in Medicine 21, 689–699. With s and t the rows that student and teacher get
right, m the rows that either gets right and c those that only the teacher does, the score statistic
for s/t = φ is

    (s − φ t) / sqrt(m ((φ − 1) + (φ + 1) q))

where q is the maximum likelihood share of c in m under that ratio, the larger root of
(1 + φ) m q² + (t φ² − m − c) q + c (1 − φ) = 0. Rows that both get wrong say nothing about the ratio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.preconditions import require_all, require_fraction, require_positive
from evalkit.stats.score_root import crossing

METHOD = "Tang 2003 score interval"

FloatArray = NDArray[np.float64]


def tang_z(both: ArrayLike, student_only: ArrayLike, teacher_only: ArrayLike, ratio: ArrayLike) -> FloatArray:
    """The score statistic for H0: retention = ``ratio``; large values speak for a larger retention.

    All arguments broadcast; the result has their common shape and is standard normal under H0 for
    large counts. At ratio 1 it is McNemar's test without continuity correction.

    Raises ``ValueError`` for negative counts, for a teacher without a right row and for ratio ≤ 0.

    >>> round(float(tang_z(1, 1, 7, 1.0)), 4)  # McNemar: (1 − 7) / sqrt(1 + 7)
    -2.1213
    """
    a, b, c = _counts(both, student_only, teacher_only)
    phi = np.asarray(ratio, dtype=np.float64)
    require_all("ratio", phi, (phi > 0) & np.isfinite(phi), "give a finite ratio above 0")
    return _score(a, b, c, phi)


def tang_bounds(
    both: ArrayLike, student_only: ArrayLike, teacher_only: ArrayLike, level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bounds of the retention at two-sided confidence ``level``; counts broadcast.

    With b = c = 0 they are m/(m + z²) and 1 + z²/m. A student that is never right has the lower
    bound 0. Raises ``ValueError`` as ``tang_z`` does, and for a level outside (0, 1).

    >>> lower, upper = tang_bounds(59, 6, 16, 0.95)
    >>> f"{lower:.4f} {upper:.4f}"
    '0.7476 0.9876'
    """
    require_fraction("level", level)
    a, b, c = np.broadcast_arrays(*_counts(both, student_only, teacher_only))
    z = float(norm.ppf((1 + level) / 2))
    student, teacher = a + b, a + c
    # The variance never exceeds m φ, so |s − φ t| = z sqrt(m φ), a quadratic in sqrt(φ), brackets the bounds.
    half = z * np.sqrt(a + b + c)
    reach = np.sqrt(half**2 + 4 * student * teacher)
    nearest, farthest = ((reach - half) / (2 * teacher)) ** 2, ((reach + half) / (2 * teacher)) ** 2

    def statistic(phi: FloatArray) -> FloatArray:
        return _score(a, b, c, phi)

    point = student / teacher
    lower = crossing(statistic, z, np.minimum(nearest, point), point)
    upper = crossing(statistic, -z, point, np.maximum(farthest, point))
    return lower, upper


def retention(counts: PairedCounts, level: float) -> Estimate:
    """Student accuracy ÷ teacher accuracy with its score interval, or why there is none.

    ``n`` of the result counts all rows, those that both get wrong as well.

    >>> kept = retention(PairedCounts(both=446, student_only=5, teacher_only=16, neither=690), level=0.90)
    >>> f"{kept.lower:.3f} {kept.point:.3f} {kept.upper:.3f}"
    '0.958 0.976 0.992'
    """
    require_fraction("level", level)
    if counts.teacher_right == 0:
        return NotEstimable(reason="the teacher is right on no row, so there is nothing to retain", n=counts.n)
    lower, upper = tang_bounds(counts.both, counts.student_only, counts.teacher_only, level)
    return Interval(
        point=counts.student_right / counts.teacher_right,
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=counts.n,
        method=METHOD,
    )


def p_retention_above(counts: PairedCounts, bar: float) -> float:
    """One-sided p-value of H0: retention ≤ bar against retention > bar.

    Below α exactly when the lower bound at level 1 − 2α lies above the bar. Where the retention is
    not estimable nothing is rejected: the p-value is 1.

    >>> same = PairedCounts(both=90, student_only=0, teacher_only=0, neither=10)
    >>> p_retention_above(same, bar=0.95) < 0.05
    True
    """
    return _p_value(counts, bar, sign=1)


def p_retention_below(counts: PairedCounts, bar: float) -> float:
    """One-sided p-value of H0: retention ≥ bar against retention < bar.

    Below α exactly when the upper bound at level 1 − 2α lies below the bar. Where the retention is
    not estimable nothing is rejected: the p-value is 1.

    >>> half_lost = PairedCounts(both=45, student_only=0, teacher_only=45, neither=10)
    >>> p_retention_below(half_lost, bar=0.95) < 0.001
    True
    """
    return _p_value(counts, bar, sign=-1)


def _p_value(counts: PairedCounts, bar: float, sign: int) -> float:
    require_positive("bar", bar)
    if counts.teacher_right == 0:
        return 1.0
    z = tang_z(counts.both, counts.student_only, counts.teacher_only, bar)
    return float(norm.sf(sign * float(z)))


def _counts(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    both, only_student, only_teacher = (np.asarray(x, dtype=np.float64) for x in (a, b, c))
    for name, count in (("both", both), ("student_only", only_student), ("teacher_only", only_teacher)):
        require_all(name, count, count >= 0, "a count is at least 0")
    teacher = np.asarray(both + only_teacher)
    require_all("both + teacher_only", teacher, teacher > 0, "a retention needs a row the teacher gets right")
    return both, only_student, only_teacher


def _score(a: FloatArray, b: FloatArray, c: FloatArray, phi: FloatArray) -> FloatArray:
    either = a + b + c
    distance = (a + b) - phi * (a + c)
    variance = either * ((phi - 1) + (phi + 1) * _losses_under_null(a, b, c, phi))
    spread = np.sqrt(np.maximum(variance, 0.0))
    still = np.zeros(np.broadcast_shapes(distance.shape, spread.shape))
    score: FloatArray = np.divide(distance, spread, out=still, where=spread > 0)
    return score


def _losses_under_null(a: FloatArray, b: FloatArray, c: FloatArray, phi: FloatArray) -> FloatArray:
    """Maximum likelihood share of teacher-only rows among those that either gets right, at ratio phi."""
    either = a + b + c
    square, linear, constant = (1 + phi) * either, (a + c) * phi**2 - either - c, c * (1 - phi)
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0.0))
    # For phi well above 1 this difference cancels, but there the variance hardly depends on it.
    return (root - linear) / (2 * square)
