"""When the project has paid for itself: in requests, and in months."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.cost.machine import MILLION
from evalkit.stats.interval import Estimate, Interval, NotEstimable


@dataclass(frozen=True, slots=True, kw_only=True)
class Payback:
    """Requests or months until the saving has covered the project's cost, at two-sided ``level``.

    ``point`` is None where it never does at the point estimates, ``latest`` where the evidence leaves room for a
    student that saves nothing, ``earliest`` where it leaves room for no other.
    """

    point: float | None
    earliest: float | None
    latest: float | None
    level: float

    def times(self, factor: float) -> Payback:
        """The same in another unit."""
        point, earliest, latest = (
            None if each is None else factor * each for each in (self.point, self.earliest, self.latest)
        )
        return Payback(point=point, earliest=earliest, latest=latest, level=self.level)


def break_even(project_usd: float, teacher: Estimate, student: Estimate) -> Payback | NotEstimable:
    """Requests after which the project has paid for itself: project cost ÷ (teacher − student cost per request).

    ``teacher`` and ``student`` are dollars per million requests. The saving's bounds come from the ends of both, so
    that the errors of both add up; measured at ``level_of_parts(level)`` each, they give the result at ``level``.

    >>> teacher = Interval(point=8, lower=6, upper=10, level=0.95, n=10, method="")
    >>> student = Interval(point=2, lower=1, upper=3, level=0.95, n=10, method="")
    >>> paid = break_even(600, teacher, student)  # 600 USD ÷ (8 − 2), (10 − 1) and (6 − 3) USD a million
    >>> paid.point, round(paid.earliest), paid.latest, round(paid.level, 2)
    (100000000.0, 66666667, 200000000.0, 0.9)
    """
    for part in (teacher, student):
        if isinstance(part, NotEstimable):
            return part
    assert isinstance(teacher, Interval)
    assert isinstance(student, Interval)
    return Payback(
        point=_after(project_usd, teacher.point - student.point),
        earliest=_after(project_usd, teacher.upper - student.lower),
        latest=_after(project_usd, teacher.lower - student.upper),
        level=teacher.level + student.level - 1.0,
    )


def payback_months(break_even_requests: Payback, monthly_requests: int) -> Payback:
    """The same in months at the stated volume."""
    return break_even_requests.times(1.0 / monthly_requests)


def _after(project_usd: float, saved_per_million: float) -> float | None:
    return project_usd / saved_per_million * MILLION if saved_per_million > 0 else None
