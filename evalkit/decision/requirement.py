"""The bar, claim by claim, as the spec states it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalkit.cost.per_request import REDUCTION
from evalkit.data.subpopulations import Group
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.spec.gate import Requirements
from evalkit.stats.measurement import ALL_ROWS

STUDENT_P50 = "student_p50_ms"
STUDENT_P99 = "student_p99_ms"
SPEED_UP = "teacher_over_student_p50"


class Direction(StrEnum):
    """On which side of the bound the measurement must lie."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """``measurement`` in ``subpopulation`` must lie ``direction`` ``bound``; only a required one decides."""

    measurement: str
    subpopulation: str
    bound: float
    direction: Direction
    required: bool = True


def requirements_of(bar: Requirements, groups: Sequence[Group]) -> tuple[Requirement, ...]:
    """Every claim that the spec makes, overall first."""
    above, below = Direction.ABOVE, Direction.BELOW
    claims = [_claim(GAP, -bar.quality.overall_margin, above)]
    if bar.quality.retention is not None:
        claims.append(_claim(RETENTION, bar.quality.retention, above))
    claims += [
        Requirement(
            measurement=GAP,
            subpopulation=group.name,
            bound=-group.margin,
            direction=above,
            required=group.required,
        )
        for group in groups
    ]
    limits = (
        (STUDENT_P50, bar.latency.p50_ms, below),
        (STUDENT_P99, bar.latency.p99_ms, below),
        (SPEED_UP, bar.speed_up, above),
        (REDUCTION, bar.cost_reduction, above),
    )
    claims += [_claim(name, bound, direction) for name, bound, direction in limits if bound is not None]
    return tuple(claims)


def _claim(measurement: str, bound: float, direction: Direction) -> Requirement:
    return Requirement(measurement=measurement, subpopulation=ALL_ROWS, bound=bound, direction=direction)
