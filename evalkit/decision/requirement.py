"""The bar, claim by claim, as the spec states it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalkit.cost.per_request import REDUCTION
from evalkit.data.subpopulations import Group
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import weighted_by
from evalkit.spec.requirements import MetricBar, Requirements
from evalkit.stats.measurement import ALL_ROWS

TEACHER_ACCURACY = "teacher_accuracy"
METRIC_GAP = "student_minus_teacher_"
"""What the gap of every metric starts with; the metric's name in gate.yaml follows as it stands there."""
STUDENT_P50 = "student_p50_ms"
STUDENT_P99 = "student_p99_ms"
SPEED_UP = "teacher_over_student_p50"
UNSPENT_ERROR = "unspent_error"
"""What the planned looks at a held-out set have left of 1 − confidence; nothing shows it where they are used up."""


class Direction(StrEnum):
    """On which side of the bound the measurement must lie."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """``measurement`` in ``subpopulation`` must lie ``direction`` ``bound``; only a required one decides.

    Raises ValueError for a bound that is no finite number: every measurement would lie on the right side of it.
    """

    measurement: str
    subpopulation: str
    bound: float
    direction: Direction
    required: bool = True

    def __post_init__(self) -> None:
        if not math.isfinite(self.bound):
            raise ValueError(
                f"the bound of {self.measurement} in {self.subpopulation} is {self.bound}; give a finite number"
            )

    @property
    def is_quality(self) -> bool:
        """Whether it is about right answers (as opposed to time and money)."""
        return self.measurement in (RETENTION, TEACHER_ACCURACY) or self.measurement.startswith(METRIC_GAP)


def requirements_of(
    bar: Requirements,
    groups: Sequence[Group],
    *,
    discovered: Sequence[str] = (),
    discovery_required: bool = True,
    weighted: Sequence[str] = (),
    higher_is_better: Mapping[str, bool] | None = None,
) -> tuple[Requirement, ...]:
    """Every claim that the spec makes, overall first.

    ``discovered`` names the subpopulations that the search confirmed, ``weighted`` the groupings whose groups have
    weights, ``higher_is_better`` the direction of each metric that the spec names. A group that was merged into
    another, or has no margin, makes no claim about its accuracy. Raises ValueError for a metric whose direction
    is not given.
    """
    judged = [group for group in groups if group.merged_into is None]
    return (
        *_overall(bar, weighted),
        *(
            claim
            for metric in bar.quality.metrics
            for claim in _metric_claims(metric, judged, _is_higher_better(metric.metric, higher_is_better or {}))
        ),
        *(_gap(group.name, group.margin, required=group.required) for group in judged if group.margin is not None),
        *_discovered(discovered, bar.quality.subpopulation_margin, required=discovery_required),
        *_limits(bar),
    )


def _overall(bar: Requirements, weighted: Sequence[str]) -> list[Requirement]:
    quality, margin = bar.quality, bar.quality.overall_margin
    claims = [] if margin is None else [_gap(ALL_ROWS, margin)]
    floors = ((RETENTION, quality.retention), (TEACHER_ACCURACY, quality.teacher_accuracy))
    claims += [_all_rows(name, bound, Direction.ABOVE) for name, bound in floors if bound is not None]
    if margin is not None:
        claims += [_gap(weighted_by(grouping), margin) for grouping in weighted]
    return claims


def _gap(where: str, margin: float, *, required: bool = True) -> Requirement:
    return Requirement(
        measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE, required=required
    )


def _is_higher_better(metric: str, known: Mapping[str, bool]) -> bool:
    if metric not in known:
        raise ValueError(f"whether more of {metric} is better is not given; there are {', '.join(known) or 'none'}")
    return known[metric]


def _metric_claims(metric: MetricBar, groups: Sequence[Group], higher: bool) -> list[Requirement]:
    asked = [(ALL_ROWS, metric.required)]
    if metric.subpopulations:
        asked += [(group.name, metric.required and group.required) for group in groups]
    return [
        Requirement(
            measurement=f"{METRIC_GAP}{metric.metric}",
            subpopulation=where,
            bound=-metric.margin if higher else metric.margin,
            direction=Direction.ABOVE if higher else Direction.BELOW,
            required=required,
        )
        for where, required in asked
    ]


def _discovered(names: Sequence[str], margin: float | None, *, required: bool) -> list[Requirement]:
    return [] if margin is None else [_gap(name, margin, required=required) for name in names]


def _limits(bar: Requirements) -> list[Requirement]:
    limits = (
        (STUDENT_P50, bar.latency.p50_ms, Direction.BELOW),
        (STUDENT_P99, bar.latency.p99_ms, Direction.BELOW),
        (SPEED_UP, bar.speed_up, Direction.ABOVE),
        (REDUCTION, bar.cost_reduction, Direction.ABOVE),
    )
    return [_all_rows(name, bound, direction) for name, bound, direction in limits if bound is not None]


def _all_rows(measurement: str, bound: float, direction: Direction) -> Requirement:
    return Requirement(measurement=measurement, subpopulation=ALL_ROWS, bound=bound, direction=direction)
