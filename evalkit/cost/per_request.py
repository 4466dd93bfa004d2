"""From a price and what was measured to dollars per million requests, and to the saving."""

from __future__ import annotations

from evalkit.cost.fleet import Traffic, fleet_usd_per_month
from evalkit.cost.machine import MILLION, machine_usd_per_million
from evalkit.cost.scaling import scaled
from evalkit.spec.cost import Price
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

REDUCTION = "teacher_over_student_cost"
EVIDENCE = "cost.json"


def usd_per_million(
    price: Price,
    rate_rps: Estimate | None = None,
    *,
    charged: Estimate | None = None,
    traffic: Traffic | None = None,
) -> Estimate:
    """Cost of a million successful requests, whatever the price is stated in.

    ``rate_rps`` are the successful answers a second that one machine carries; ``charged`` is what an API's recorded
    usage comes to (``token_usd_per_million``); ``traffic`` is what a fleet is built for. A price per request is taken
    as stated, without uncertainty. NotEstimable where what the price needs was not measured.
    """
    if price.usd_per_million_requests is not None:
        return certain(price.usd_per_million_requests, f"stated price ({price.date})")
    if price.tokens is not None:
        return NotEstimable(reason="no token usage was recorded", n=0) if charged is None else charged
    assert price.usd_per_hour is not None
    if rate_rps is None:
        return NotEstimable(reason="no throughput was measured", n=0)
    if price.fleet is None:
        return machine_usd_per_million(price.usd_per_hour, price.used_share, rate_rps)
    if traffic is None:
        return NotEstimable(reason="the traffic that the fleet is built for is not stated", n=0)
    bill = fleet_usd_per_month(price.usd_per_hour, price.fleet, traffic, rate_rps)
    return scaled(bill, MILLION / traffic.monthly_requests)


def certain(value: float, method: str) -> Interval:
    """What was stated, and not measured."""
    return Interval(point=value, lower=value, upper=value, level=1.0, n=1, method=method)


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
