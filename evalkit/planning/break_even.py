"""When the project has paid for itself."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.cost.per_request import break_even_requests, usd_per_million
from evalkit.spec.gate import Cost
from evalkit.stats.interval import Estimate, NotEstimable


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughputs:
    """Saturated requests a second of an earlier run, and which; None where none was measured."""

    teacher: Estimate | None
    student: Estimate | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """``requests`` after which the project's cost is saved, and the ``months`` that takes. Where ``requests`` is
    None, ``reason`` says why; ``never`` is True where a request saves nothing."""

    teacher_usd_per_million: float | None
    student_usd_per_million: float | None
    project_usd: float | None
    monthly_requests: int | None
    requests: float | None
    months: float | None
    never: bool
    source: str
    reason: str | None


def break_even(cost: Cost | None, measured: Throughputs | None) -> BreakEven:
    """Project cost ÷ (teacher − student cost per request), at the point estimates."""
    if cost is None:
        return _unknown(None, "no prices are stated (cost)")
    teacher = usd_per_million(cost.teacher, None if measured is None else measured.teacher)
    student = usd_per_million(cost.student, None if measured is None else measured.student)
    for role, value in (("teacher", teacher), ("student", student)):
        if isinstance(value, NotEstimable):
            return _unknown(
                cost,
                f"cost.{role}.usd_per_hour needs a measured throughput ({value.reason}); run the gate once, or give "
                "usd_per_million_requests",
            )
    assert not isinstance(teacher, NotEstimable)
    assert not isinstance(student, NotEstimable)
    requests = break_even_requests(cost, teacher, student)
    never = student.point >= teacher.point
    hourly = cost.teacher.usd_per_hour is not None or cost.student.usd_per_hour is not None
    return BreakEven(
        teacher_usd_per_million=teacher.point,
        student_usd_per_million=student.point,
        project_usd=cost.project_usd,
        monthly_requests=cost.monthly_requests,
        requests=requests,
        months=None if requests is None or cost.monthly_requests is None else requests / cost.monthly_requests,
        never=never,
        source=f"stated prices at the throughput of {measured.source}" if hourly and measured else "stated prices",
        reason=_why_not(cost, never=never) if requests is None else None,
    )


def _why_not(cost: Cost, *, never: bool) -> str:
    if never:
        return "a request to the student costs no less than one to the teacher"
    return "cost.project_usd is not stated" if cost.project_usd is None else "the saving per request is unknown"


def _unknown(cost: Cost | None, reason: str) -> BreakEven:
    return BreakEven(
        teacher_usd_per_million=None,
        student_usd_per_million=None,
        project_usd=None if cost is None else cost.project_usd,
        monthly_requests=None if cost is None else cost.monthly_requests,
        requests=None,
        months=None,
        never=False,
        source="",
        reason=reason,
    )
