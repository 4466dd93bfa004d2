"""When the project has paid for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.cost.fleet import traffic_of
from evalkit.cost.payback import Payback
from evalkit.cost.payback import break_even as requests_to_break_even
from evalkit.cost.per_request import usd_per_million
from evalkit.cost.project import project_usd
from evalkit.spec.cost import Cost, Price
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
    None, ``reason`` says why; ``never`` is True where a request saves nothing. ``earliest`` and ``latest`` are the
    ends of the requests' interval; ``latest`` is None where the evidence leaves room for no saving."""

    teacher_usd_per_million: float | None
    student_usd_per_million: float | None
    project_usd: float | None
    monthly_requests: int | None
    requests: float | None
    earliest: float | None
    latest: float | None
    months: float | None
    never: bool
    source: str
    reason: str | None


def break_even(
    cost: Cost | None, measured: Throughputs | None, charged: Mapping[str, Estimate] | None = None
) -> BreakEven:
    """Project cost ÷ (teacher − student cost per request). ``charged`` is what a role's recorded token usage comes to
    in dollars per million requests."""
    if cost is None:
        return _unknown(None, "no prices are stated (cost)")
    rates = {} if measured is None else {"teacher": measured.teacher, "student": measured.student}
    by_token, traffic = charged or {}, traffic_of(cost)
    teacher, student = (
        usd_per_million(price, rates.get(role), charged=by_token.get(role), traffic=traffic)
        for role, price in (("teacher", cost.teacher), ("student", cost.student))
    )
    for role, price, value in (("teacher", cost.teacher, teacher), ("student", cost.student, student)):
        if isinstance(value, NotEstimable):
            return _unknown(cost, _why_unknown(role, price, value))
    assert not isinstance(teacher, NotEstimable)
    assert not isinstance(student, NotEstimable)
    project = project_usd(cost)
    after = None if project is None else requests_to_break_even(project, teacher, student)
    assert not isinstance(after, NotEstimable)
    paid = after or Payback(point=None, earliest=None, latest=None, level=1.0)
    requests, never = paid.point, student.point >= teacher.point
    hourly = cost.teacher.usd_per_hour is not None or cost.student.usd_per_hour is not None
    return BreakEven(
        teacher_usd_per_million=teacher.point,
        student_usd_per_million=student.point,
        project_usd=project,
        monthly_requests=cost.monthly_requests,
        requests=requests,
        earliest=paid.earliest,
        latest=paid.latest,
        months=None if requests is None or cost.monthly_requests is None else requests / cost.monthly_requests,
        never=never,
        source=f"stated prices at the throughput of {measured.source}" if hourly and measured else "stated prices",
        reason=_why_not(cost, never=never) if requests is None else None,
    )


def _why_not(cost: Cost, *, never: bool) -> str:
    if never:
        return "a request to the student costs no less than one to the teacher"
    return "cost.project_usd is not stated" if project_usd(cost) is None else "the saving per request is unknown"


def _why_unknown(role: str, price: Price, value: NotEstimable) -> str:
    if price.usd_per_hour is None:
        return f"cost.{role}.tokens: {value.reason}"
    return (
        f"cost.{role}.usd_per_hour needs a measured throughput ({value.reason}); run the gate once, or give "
        "usd_per_million_requests"
    )


def _unknown(cost: Cost | None, reason: str) -> BreakEven:
    return BreakEven(
        teacher_usd_per_million=None,
        student_usd_per_million=None,
        project_usd=None if cost is None else project_usd(cost),
        monthly_requests=None if cost is None else cost.monthly_requests,
        requests=None,
        earliest=None,
        latest=None,
        months=None,
        never=False,
        source="",
        reason=reason,
    )
