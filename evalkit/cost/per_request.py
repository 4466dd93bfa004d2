"""From a price and a sustained rate to dollars per million requests, and to the saving."""

from __future__ import annotations

from evalkit.spec.gate import Cost, Price
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

SECONDS_PER_HOUR = 3600.0
MILLION = 1_000_000.0
REDUCTION = "teacher_over_student_cost"
EVIDENCE = "cost.json"


def usd_per_million(price: Price, throughput_rps: Estimate | None) -> Estimate:
    """Cost of a million successful requests.

    ``usd_per_hour`` ÷ (3,600 × throughput × utilisation); the interval of the throughput is carried
    through (a high rate is a low cost). A price per request is taken as stated, without uncertainty.
    """
    if price.usd_per_million_requests is not None:
        stated = price.usd_per_million_requests
        return Interval(point=stated, lower=stated, upper=stated, level=1.0, n=1, method=f"stated price ({price.date})")
    if throughput_rps is None:
        return NotEstimable(reason="no throughput was measured", n=0)
    if isinstance(throughput_rps, NotEstimable):
        return throughput_rps
    if throughput_rps.lower <= 0:
        return NotEstimable(reason="the throughput's lower bound is not above 0 requests a second", n=throughput_rps.n)

    def cost(rps: float) -> float:
        assert price.usd_per_hour is not None
        return price.usd_per_hour / (SECONDS_PER_HOUR * rps * price.utilisation) * MILLION

    return Interval(
        point=cost(throughput_rps.point),
        lower=cost(throughput_rps.upper),
        upper=cost(throughput_rps.lower),
        level=throughput_rps.level,
        n=throughput_rps.n,
        method=f"price ÷ throughput ({throughput_rps.method})",
    )


def level_of_parts(level: float) -> float:
    """The level at which both parts of a ratio are to be measured, for the ratio to have ``level``."""
    return 1.0 - (1.0 - level) / 2.0


def ratio(numerator: Estimate, denominator: Estimate) -> Estimate:
    """numerator ÷ denominator of two positive quantities, from the extremes of both intervals.

    A bound of the ratio errs only where one of the two bounds behind it does, so the errors add up: the
    result's level is 1 − (1 − level of one) − (1 − level of the other). Ask for both parts at the higher
    level ``level_of_parts(level)`` to have the ratio at ``level``. ``n`` is that of the part with the fewest
    units; a part that is certain (a stated price, level 1) takes nothing from it.
    """
    for part in (numerator, denominator):
        if isinstance(part, NotEstimable):
            return part
    assert isinstance(numerator, Interval)
    assert isinstance(denominator, Interval)
    if denominator.lower <= 0:
        return NotEstimable(reason="the denominator's lower bound is not above 0", n=denominator.n)
    return Interval(
        point=numerator.point / denominator.point,
        lower=numerator.lower / denominator.upper,
        upper=numerator.upper / denominator.lower,
        level=numerator.level + denominator.level - 1.0,
        n=min(
            (part.n for part in (numerator, denominator) if part.level < 1.0), default=min(numerator.n, denominator.n)
        ),
        method="ratio of interval ends",
    )


def cost_measurements(teacher: Estimate, student: Estimate) -> tuple[Measurement, ...]:
    """Both costs and the reduction, as measurements."""
    unit = "USD per million requests"
    return (
        Measurement(
            name="teacher_usd_per_million_requests",
            subpopulation=ALL_ROWS,
            unit=unit,
            value=teacher,
            evidence=EVIDENCE,
        ),
        Measurement(
            name="student_usd_per_million_requests",
            subpopulation=ALL_ROWS,
            unit=unit,
            value=student,
            evidence=EVIDENCE,
        ),
        Measurement(
            name=REDUCTION,
            subpopulation=ALL_ROWS,
            unit="ratio",
            value=ratio(teacher, student),
            evidence=EVIDENCE,
        ),
    )


def break_even_requests(cost: Cost, teacher: Estimate, student: Estimate) -> float | None:
    """Requests after which the project has paid for itself, at the point estimates; None where it never does
    or no project cost is stated. Source: project cost ÷ (teacher − student cost per request)."""
    if cost.project_usd is None or not isinstance(teacher, Interval) or not isinstance(student, Interval):
        return None
    saved = (teacher.point - student.point) / MILLION
    return cost.project_usd / saved if saved > 0 else None
