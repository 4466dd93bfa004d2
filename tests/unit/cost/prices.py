"""Prices and rates for the tests of this folder."""

from __future__ import annotations

import datetime
from typing import Any

from evalkit.spec.cost import Cost, Price
from evalkit.stats.interval import Interval

DAY = datetime.date(2026, 11, 1)


def price(**kind: Any) -> Price:
    return Price(**{"source": "invoice", "date": DAY, **kind})


def rate(point: float, lower: float, upper: float, level: float = 0.95) -> Interval:
    return Interval(point=point, lower=lower, upper=upper, level=level, n=10, method="Student t interval")


def usd(point: float, lower: float | None = None, upper: float | None = None, level: float = 0.95) -> Interval:
    if lower is None or upper is None:
        return Interval(point=point, lower=point, upper=point, level=1.0, n=1, method="stated")
    return Interval(point=point, lower=lower, upper=upper, level=level, n=10, method="measured")


def cost(**more: Any) -> Cost:
    plain = {side: {"usd_per_million_requests": 1, "source": "s", "date": DAY} for side in ("teacher", "student")}
    return Cost.model_validate({**plain, **more})
