"""One claim against its measurement: shown, broken, or still open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.wording import describe
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import Measurement
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired_difference import p_worse
from evalkit.stats.retention import p_retention_below
from evalkit.stats.sample_size import further_rows, further_rows_retention

QUALITY = (GAP, RETENTION)
MOST_FURTHER = 1e9
MOST_TIMES_NARROWER = math.sqrt(MOST_FURTHER)
ROUNDING = 1e-9


class CheckOutcome(StrEnum):
    """What the evidence says of one claim."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseOfMargin:
    """Harm ÷ what is allowed: 0 = as good as the teacher (quality) or free (latency, cost), 1 = at the bar."""

    point: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``further_needed`` more units (``counted_in``) would decide an open claim with 80 % chance if what was
    observed is true; None where no number would, or none is known."""

    requirement: Requirement
    measurement: Measurement | None
    outcome: CheckOutcome
    explanation: str
    use_of_margin: UseOfMargin | None
    further_needed: int | None
    counted_in: str

    @property
    def is_quality(self) -> bool:
        return self.requirement.measurement in QUALITY

    @property
    def tested_use_of_margin(self) -> float:
        """The unfavourable end; infinite where nothing was measured."""
        return math.inf if self.use_of_margin is None else self.use_of_margin.upper


def check_all(
    requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float
) -> tuple[Check, ...]:
    """One check a requirement, in their order. A measurement that is not there leaves its claim open."""
    by_name = _by_name(measurements)
    pairs = [(claim, by_name.get((claim.measurement, claim.subpopulation))) for claim in requirements]
    broken = _shown_broken(pairs, confidence)
    return tuple(
        _check(claim, measured, confidence, broken=index in broken) for index, (claim, measured) in enumerate(pairs)
    )


def _by_name(measurements: Sequence[Measurement]) -> dict[tuple[str, str], Measurement]:
    """Raises ValueError where one thing was measured twice: neither is then to be believed."""
    by_name: dict[tuple[str, str], Measurement] = {}
    for each in measurements:
        if by_name.setdefault((each.name, each.subpopulation), each) is not each:
            raise ValueError(f"{each.name} in {each.subpopulation} was measured twice; give one measurement of it")
    return by_name


def _shown_broken(pairs: Sequence[tuple[Requirement, Measurement | None]], confidence: float) -> set[int]:
    """Holm over the required paired claims; every other claim by its own bound. A watched claim is tested
    alone: it decides nothing."""
    p_values: Mapping[int, float] = {
        index: p
        for index, (claim, measured) in enumerate(pairs)
        if measured is not None and (p := _harm_p_value(claim, measured)) is not None
    }
    family = [index for index in p_values if pairs[index][0].required]
    adjusted = dict(zip(family, holm([p_values[index] for index in family]), strict=True))
    broken = {index for index, p in p_values.items() if adjusted.get(index, p) <= 1.0 - confidence}
    for index, (claim, measured) in enumerate(pairs):
        if index not in p_values and measured is not None and _is_bound(measured.value, confidence):
            if claim.direction is Direction.ABOVE and measured.value.upper < claim.bound:
                broken.add(index)
            if claim.direction is Direction.BELOW and measured.value.lower > claim.bound:
                broken.add(index)
    return broken


def _harm_p_value(claim: Requirement, measured: Measurement) -> float | None:
    if measured.counts is None or isinstance(measured.value, NotEstimable):
        return None
    if claim.measurement == GAP:
        return float(p_worse(measured.counts, -claim.bound))
    if claim.measurement == RETENTION:
        return float(p_retention_below(measured.counts, claim.bound))
    return None


def _check(claim: Requirement, measured: Measurement | None, confidence: float, *, broken: bool) -> Check:
    value = None if measured is None else measured.value
    outcome = CheckOutcome.OPEN
    if broken:
        outcome = CheckOutcome.FAILED
    elif value is not None and _is_bound(value, confidence) and _inside(claim, value):
        outcome = CheckOutcome.PASSED
    return Check(
        requirement=claim,
        measurement=measured,
        outcome=outcome,
        explanation=describe(claim, measured),
        use_of_margin=_use_of_margin(claim, value) if isinstance(value, Interval) else None,
        further_needed=_further(claim, measured, confidence) if outcome is CheckOutcome.OPEN else None,
        counted_in=_counted_in(claim),
    )


def _is_bound(value: Estimate, confidence: float) -> TypeGuard[Interval]:
    """Whether the ends of an estimate are bounds at the one-sided confidence that was asked for."""
    return isinstance(value, Interval) and value.level >= 2.0 * confidence - 1.0 - ROUNDING


def _inside(claim: Requirement, value: Interval) -> bool:
    if claim.direction is Direction.ABOVE:
        return value.lower > claim.bound
    return value.upper < claim.bound


def _use_of_margin(claim: Requirement, value: Interval) -> UseOfMargin | None:
    if claim.measurement == GAP:
        return UseOfMargin(
            point=value.point / claim.bound, lower=value.upper / claim.bound, upper=value.lower / claim.bound
        )
    if claim.measurement == RETENTION and claim.bound < 1.0:
        allowed = 1.0 - claim.bound
        return UseOfMargin(
            point=(1 - value.point) / allowed,
            lower=(1 - value.upper) / allowed,
            upper=(1 - value.lower) / allowed,
        )
    if claim.direction is Direction.BELOW:
        return UseOfMargin(
            point=value.point / claim.bound, lower=value.lower / claim.bound, upper=value.upper / claim.bound
        )
    if not (value.lower > 0 and value.point > 0 and value.upper > 0):
        return None
    return UseOfMargin(
        point=claim.bound / value.point, lower=claim.bound / value.upper, upper=claim.bound / value.lower
    )


def _further(claim: Requirement, measured: Measurement | None, confidence: float) -> int | None:
    if measured is None:
        return None
    if isinstance(measured.value, NotEstimable):
        needed = measured.value.n_needed
        return None if needed is None else max(1, needed - measured.value.n)
    if measured.counts is not None and claim.measurement == GAP:
        return further_rows(measured.counts, -claim.bound, confidence)
    if measured.counts is not None and claim.measurement == RETENTION:
        return further_rows_retention(measured.counts, claim.bound, confidence)
    return further_by_width(measured.value, claim.bound)


def further_by_width(value: Interval, bound: float) -> int | None:
    """Units to add until the bound falls outside the interval, if the point stays and the width shrinks as
    1/√n. None where the point sits at the bound or more than 10⁹ units would be needed."""
    side = value.point - value.lower if value.point > bound else value.upper - value.point
    distance = abs(value.point - bound)
    if side >= distance * MOST_TIMES_NARROWER or not math.isfinite(side):
        return None
    needed = value.n * ((side / distance) ** 2 - 1.0)
    return None if needed > MOST_FURTHER else max(1, math.ceil(needed))


def _counted_in(claim: Requirement) -> str:
    if claim.measurement in QUALITY:
        return "rows"
    return "seconds of saturated load" if claim.measurement == REDUCTION else "requests"
