"""Machines that stand ready: how many, and what they cost a month."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalkit.cost.machine import falling
from evalkit.cost.scaling import scaled
from evalkit.spec.cost import HOURS_PER_MONTH, Cost, Fleet
from evalkit.stats.interval import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The requests of a month, and the busiest second of it."""

    monthly_requests: int
    peak_rps: float


def traffic_of(cost: Cost) -> Traffic | None:
    """The traffic that the spec states, where it states all of it."""
    if cost.monthly_requests is None or cost.peak_rps is None:
        return None
    return Traffic(monthly_requests=cost.monthly_requests, peak_rps=cost.peak_rps)


def replicas(fleet: Fleet, traffic: Traffic, rate_rps: Estimate) -> Estimate:
    """How many machines of ``rate_rps`` stand ready: for the peak with its headroom, and never fewer than the minimum.

    >>> from evalkit.stats.interval import Interval
    >>> rate = Interval(point=100, lower=80, upper=125, level=0.95, n=10, method="Student t interval")
    >>> busy = Traffic(monthly_requests=100_000_000, peak_rps=250)
    >>> ready = replicas(Fleet(minimum_replicas=2, headroom=1.2), busy, rate)  # 300 ÷ 125, 300 ÷ 100, 300 ÷ 80
    >>> ready.lower, ready.point, ready.upper
    (3.0, 3.0, 4.0)
    """

    def needed(rps: float) -> float:
        # a billionth of a machine is no machine
        return float(max(fleet.minimum_replicas, math.ceil(traffic.peak_rps * fleet.headroom / rps - 1e-9)))

    return falling(rate_rps, needed, "whole machines for the peak")


def fleet_usd_per_month(usd_per_hour: float, fleet: Fleet, traffic: Traffic, rate_rps: Estimate) -> Estimate:
    """What the machines cost in a month of 730 hours, busy or not."""
    return scaled(replicas(fleet, traffic, rate_rps), usd_per_hour * HOURS_PER_MONTH)
