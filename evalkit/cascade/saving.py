"""What a cascade costs: every request is answered by the student, and a share of them by the teacher as well."""

from __future__ import annotations

from evalkit.stats.independent_sum import independent_sum
from evalkit.stats.interval import Estimate, Interval, NotEstimable

METHOD = "1 ÷ (student ÷ teacher cost + share sent on)"


def mix_usd_per_million(teacher: Estimate, student: Estimate, share: float) -> float | None:
    """C_student + share × C_teacher at the point estimates.

    >>> teacher = Interval(point=800, lower=800, upper=800, level=1.0, n=1, method="stated")
    >>> student = Interval(point=100, lower=100, upper=100, level=1.0, n=1, method="stated")
    >>> mix_usd_per_million(teacher, student, 0.125)  # 100 + 0.125 × 800
    200.0
    """
    if isinstance(teacher, Interval) and isinstance(student, Interval):
        return student.point + share * teacher.point
    return None


def mix_reduction(reduction: Estimate, share: Estimate) -> Estimate:
    """Teacher ÷ mix cost per request: C_t ÷ (C_s + e C_t) = 1 ÷ (1 ÷ reduction + e).

    ``reduction`` is C_t ÷ C_s and ``share`` is e, measured independently; the result has the level of ``share``. A
    reduction at a higher level (one cost measured, the other stated) is taken as it is: wider than need be. One that
    is certain (stated prices) adds no spread. Raises ValueError for a reduction at a lower level.

    >>> eight = Interval(point=8, lower=8, upper=8, level=1.0, n=1, method="stated")
    >>> an_eighth = Interval(point=0.125, lower=0.1, upper=0.15, level=0.9, n=1000, method="Wilson")
    >>> saving = mix_reduction(eight, an_eighth)  # 1 ÷ (0.125 + 0.125), (0.125 + 0.15), (0.125 + 0.1)
    >>> f"{saving.lower:.3f} {saving.point:.3f} {saving.upper:.3f}"
    '3.636 4.000 4.444'
    """
    for part in (reduction, share):
        if isinstance(part, NotEstimable):
            return part
    assert isinstance(reduction, Interval)
    assert isinstance(share, Interval)
    if reduction.lower <= 0:
        return NotEstimable(reason="the cost reduction's lower bound is not above 0", n=reduction.n)
    student = Interval(
        point=1 / reduction.point,
        lower=1 / reduction.upper,
        upper=1 / reduction.lower,
        level=1.0 if reduction.level == 1.0 else min(reduction.level, share.level),
        n=reduction.n,
        method=reduction.method,
    )
    both = independent_sum(student, share)
    if both.lower <= 0:
        return NotEstimable(reason="the mix's cost is not bounded above 0", n=both.n)
    return Interval(
        point=1 / both.point, lower=1 / both.upper, upper=1 / both.lower, level=both.level, n=both.n, method=METHOD
    )
