"""What of the measurements counts as evidence for a claim, and why the rest does not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.requirement import Direction, Requirement
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import Measurement

ROUNDING, SMALLEST = 1e-6, 4e-16
"""What the error of an interval may exceed the one asked for by: a share of it, and what 1 − level cannot resolve."""
CERTAIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One requirement with what was measured of it. ``unusable`` says why an interval shows nothing; it is None
    where the ends are bounds at the confidence asked for, and where there is no interval at all. ``is_readable``
    says whether an interval is there that makes sense as one, at whatever confidence."""

    requirement: Requirement
    measurement: Measurement | None
    is_readable: bool
    unusable: str | None

    @property
    def interval(self) -> Interval | None:
        """The interval, whether it may be used or not."""
        value = None if self.measurement is None else self.measurement.value
        return value if isinstance(value, Interval) else None

    @property
    def bounds(self) -> Interval | None:
        """The interval, where its ends are bounds at the confidence asked for."""
        return None if self.unusable else self.interval

    @property
    def is_inside(self) -> bool:
        """Whether the claim is shown: by the interval, and on as many rows as subpopulations.minimum_rows asks for."""
        return self.is_bounded_inside and not self.requirement.rows_short

    @property
    def is_bounded_inside(self) -> bool:
        """Whether the end that faces the bar lies on the right side of it."""
        value = self.bounds
        if value is None:
            return False
        if self.requirement.direction is Direction.ABOVE:
            return value.lower > self.requirement.bound
        return value.upper < self.requirement.bound

    @property
    def lets_go(self) -> bool:
        """Whether it holds no GO open: it is shown, or another is asked in its place."""
        return self.is_inside or self.requirement.merged_into is not None


def claims_of(
    requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float
) -> tuple[Claim, ...]:
    """Every requirement with its measurement, in the requirements' order."""
    by_name = _by_name(measurements)
    return tuple(
        claim_of(requirement, by_name.get((requirement.measurement, requirement.subpopulation)), confidence)
        for requirement in requirements
    )


def claim_of(requirement: Requirement, measured: Measurement | None, confidence: float) -> Claim:
    """One requirement with its measurement, judged for use at one-sided ``confidence``."""
    if measured is None or not isinstance(measured.value, Interval):
        return Claim(requirement=requirement, measurement=measured, is_readable=False, unusable=None)
    nonsense = _nonsense(requirement, measured, measured.value)
    unusable = nonsense or _too_low(measured.value, confidence)
    return Claim(requirement=requirement, measurement=measured, is_readable=nonsense is None, unusable=unusable)


def _by_name(measurements: Sequence[Measurement]) -> dict[tuple[str, str], Measurement]:
    """Where one thing was measured twice with different results, neither is believed."""
    by_name: dict[tuple[str, str], Measurement] = {}
    for each in measurements:
        key = (each.name, each.subpopulation)
        before = by_name.setdefault(key, each)
        if before != each:
            unknown = NotEstimable(reason="it was measured twice, with different results", n=0)
            by_name[key] = dataclasses.replace(each, value=unknown, counts=None)
    return by_name


def _nonsense(requirement: Requirement, measured: Measurement, value: Interval) -> str | None:
    if not all(math.isfinite(each) for each in (value.point, value.lower, value.upper)):
        return "its interval is not finite"
    if value.lower > value.upper:
        return "the ends of its interval are the wrong way round"
    if value.n < 1:
        return "nothing stands behind its interval"
    if requirement.is_quality and measured.counts is None and value.lower == value.upper and value.level < CERTAIN:
        return "its interval has no width, since nothing varied by which to judge how sure it is"
    return None


def _too_low(value: Interval, confidence: float) -> str | None:
    if value.level <= CERTAIN and 1.0 - value.level <= 2.0 * (1.0 - confidence) * (1.0 + ROUNDING) + SMALLEST:
        return None
    reached = f"{100 * (1 + value.level) / 2:.4g}"
    return f"its interval holds at one-sided {reached} %, and {100 * confidence:.4g} % was asked for"
