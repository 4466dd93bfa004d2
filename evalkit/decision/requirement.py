"""The bar, claim by claim, as the spec states it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evalkit.cost.per_request import REDUCTION
from evalkit.data.subpopulations import Group
from evalkit.quality.outside import as_counted
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
SPEED_UP_P99 = "teacher_over_student_p99"
ROWS, QUERIES = "rows", "queries"
UNSPENT_ERROR = "unspent_error"
"""What the planned looks at a held-out set have left of 1 − confidence; nothing shows it where they are used up."""


class Direction(StrEnum):
    """On which side of the bound the measurement must lie."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """``measurement`` in ``subpopulation`` must lie ``direction`` ``bound``.

    A required claim holds a GO open until it is shown, and makes a NO-GO where it is shown to be broken. One that is
    ``merged_into`` another subpopulation, which is asked in its place, can do the second alone. Any other is watched,
    and decides nothing. ``rows_short`` are the rows that its group lacks of subpopulations.minimum_rows: with fewer,
    it can be shown to be broken and not to hold.

    Raises ValueError for a bound that is no finite number: every measurement would lie on the right side of it; and
    for a claim that is required although another is asked in its place.
    """

    measurement: str
    subpopulation: str
    bound: float
    direction: Direction
    required: bool = True
    merged_into: str | None = None
    rows_short: int = 0
    units: str = ROWS
    """What answers are counted in: in ranking, queries."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.bound):
            raise ValueError(
                f"the bound of {self.measurement} in {self.subpopulation} is {self.bound}; give a finite number"
            )
        if self.required and self.merged_into is not None:
            raise ValueError(
                f"{self.measurement} in {self.subpopulation} is required and merged into {self.merged_into}; "
                "set required to False"
            )

    @property
    def can_break(self) -> bool:
        """Whether a NO-GO may rest on it: it is required, or another is asked in its place."""
        return self.required or self.merged_into is not None

    @property
    def is_quality(self) -> bool:
        """Whether it is about right answers (as opposed to time and money)."""
        name = as_counted(self.measurement)
        return name in (RETENTION, TEACHER_ACCURACY) or name.startswith(METRIC_GAP)


def requirements_of(
    bar: Requirements,
    groups: Sequence[Group],
    *,
    discovered: Sequence[str] = (),
    discovery_required: bool = True,
    weighted: Sequence[str] = (),
    higher_is_better: Mapping[str, bool] | None = None,
    minimum_rows: int = 1,
) -> tuple[Requirement, ...]:
    """Every claim that the spec makes, overall first.

    ``discovered`` names the subpopulations that the search confirmed, ``weighted`` the groupings whose groups have
    weights, ``higher_is_better`` the direction of each metric that the spec names. A group without a margin makes no
    claim about its accuracy. The claims of one that was merged into another can still be shown to be broken, and so
    can those of one with fewer than ``minimum_rows`` rows. Raises ValueError for a metric whose direction is not given.
    """
    return (
        *_overall(bar, weighted),
        *(
            claim
            for metric in bar.quality.metrics
            for claim in _metric_claims(
                metric, groups, _is_higher_better(metric.metric, higher_is_better or {}), minimum_rows
            )
        ),
        *(
            _of_group(_gap(group.name, group.margin), group, minimum_rows)
            for group in groups
            if group.margin is not None
        ),
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


def _of_group(claim: Requirement, group: Group, minimum_rows: int) -> Requirement:
    """A claim as the policy of its group has it: what is only watched itself decides in no group."""
    required = claim.required and group.required
    return replace(
        claim,
        subpopulation=group.name,
        required=required,
        merged_into=group.merged_into if claim.required else None,
        rows_short=max(0, minimum_rows - group.n) if required else 0,
    )


def _metric_claims(metric: MetricBar, groups: Sequence[Group], higher: bool, minimum_rows: int) -> list[Requirement]:
    overall = Requirement(
        measurement=f"{METRIC_GAP}{metric.metric}",
        subpopulation=ALL_ROWS,
        bound=-metric.margin if higher else metric.margin,
        direction=Direction.ABOVE if higher else Direction.BELOW,
        required=metric.required,
    )
    return [overall, *(_of_group(overall, group, minimum_rows) for group in groups if metric.subpopulations)]


def _discovered(names: Sequence[str], margin: float | None, *, required: bool) -> list[Requirement]:
    return [] if margin is None else [_gap(name, margin, required=required) for name in names]


def _limits(bar: Requirements) -> list[Requirement]:
    limits = (
        (STUDENT_P50, bar.latency.p50_ms, Direction.BELOW),
        (STUDENT_P99, bar.latency.p99_ms, Direction.BELOW),
        (SPEED_UP, bar.speed_up, Direction.ABOVE),
        (SPEED_UP_P99, bar.speed_up_p99, Direction.ABOVE),
        (REDUCTION, bar.cost_reduction, Direction.ABOVE),
    )
    return [_all_rows(name, bound, direction) for name, bound, direction in limits if bound is not None]


def _all_rows(measurement: str, bound: float, direction: Direction) -> Requirement:
    return Requirement(measurement=measurement, subpopulation=ALL_ROWS, bound=bound, direction=direction)
