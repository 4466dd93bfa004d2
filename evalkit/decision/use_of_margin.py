"""How much of what is allowed a claim uses: one scale for quality, latency and cost."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.decision.requirement import TEACHER_ACCURACY, Direction, Requirement
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import RETENTION
from evalkit.stats.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class UseOfMargin:
    """Harm ÷ what is allowed: 0 = as good as the teacher (quality), never wrong (the teacher's own accuracy) or free
    (latency, cost); 1 = at the bar."""

    point: float
    lower: float
    upper: float


def use_of_margin(claim: Requirement, value: Interval) -> UseOfMargin | None:
    """Harm ÷ margin at the point and at both ends; None where the bar leaves no margin, or a ratio is not above 0."""
    if as_counted(claim.measurement) in (RETENTION, TEACHER_ACCURACY) and claim.bound < 1.0:
        allowed = 1.0 - claim.bound
        return UseOfMargin(
            point=(1.0 - value.point) / allowed,
            lower=(1.0 - value.upper) / allowed,
            upper=(1.0 - value.lower) / allowed,
        )
    if claim.direction is Direction.ABOVE and claim.bound < 0:
        return UseOfMargin(
            point=value.point / claim.bound, lower=value.upper / claim.bound, upper=value.lower / claim.bound
        )
    if claim.direction is Direction.BELOW and claim.bound > 0:
        return UseOfMargin(
            point=value.point / claim.bound, lower=value.lower / claim.bound, upper=value.upper / claim.bound
        )
    if claim.direction is Direction.ABOVE and claim.bound > 0 and min(value.lower, value.point, value.upper) > 0:
        return UseOfMargin(
            point=claim.bound / value.point, lower=claim.bound / value.upper, upper=claim.bound / value.lower
        )
    return None


def margin_of(claim: Requirement) -> float | None:
    """What is allowed, in the measurement's unit: what a change of the bound is measured by. None where it is 0.

    >>> margin_of(Requirement(measurement=RETENTION, subpopulation="all", bound=0.75, direction=Direction.ABOVE))
    0.25
    """
    if claim.measurement in (RETENTION, TEACHER_ACCURACY) and claim.bound < 1.0:
        return 1.0 - claim.bound
    return abs(claim.bound) or None
