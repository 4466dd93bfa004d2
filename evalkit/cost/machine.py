"""What a request costs on a machine that is paid by the hour."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.stats.interval import Estimate, Interval, NotEstimable

SECONDS_PER_HOUR = 3600.0
MILLION = 1_000_000.0


def machine_usd_per_million(usd_per_hour: float, utilisation: float, rate_rps: Estimate) -> Estimate:
    """Cost of a million successful answers: ``usd_per_hour`` ÷ (3,600 × ``rate_rps`` × ``utilisation``).

    ``rate_rps`` counts successful answers alone, so that those requests which fail are paid for by the others.

    >>> rate = Interval(point=100, lower=80, upper=125, level=0.95, n=10, method="Student t interval")
    >>> cost = machine_usd_per_million(0.36, 0.5, rate)  # 0.36 ÷ (3,600 × 100 × 0.5) = 2 USD a million
    >>> f"{cost.lower:.1f} {cost.point:.1f} {cost.upper:.1f}"
    '1.6 2.0 2.5'
    """
    return falling(
        rate_rps,
        lambda rps: usd_per_hour / (SECONDS_PER_HOUR * rps * utilisation) * MILLION,
        "price ÷ throughput",
    )


def falling(rate_rps: Estimate, of_rate: Callable[[float], float], what: str) -> Estimate:
    """A quantity that falls as the rate rises, so that the ends of the rate's interval change places."""
    if isinstance(rate_rps, NotEstimable):
        return rate_rps
    if rate_rps.lower <= 0:
        return NotEstimable(reason="the throughput's lower bound is not above 0 requests a second", n=rate_rps.n)
    return Interval(
        point=of_rate(rate_rps.point),
        lower=of_rate(rate_rps.upper),
        upper=of_rate(rate_rps.lower),
        level=rate_rps.level,
        n=rate_rps.n,
        method=f"{what} ({rate_rps.method})",
    )
