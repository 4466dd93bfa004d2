"""An estimate in another unit."""

from __future__ import annotations

from dataclasses import replace

from evalkit.stats.interval import Estimate, Interval


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """``estimate`` times a positive number that is known; what is not estimable stays so."""
    if not isinstance(estimate, Interval):
        return estimate
    point, lower, upper = (factor * end for end in (estimate.point, estimate.lower, estimate.upper))
    return replace(estimate, point=point, lower=lower, upper=upper)
