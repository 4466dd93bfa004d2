"""The declared subpopulations as they are judged, and the claims that the spec makes about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from evalkit.data.merging import merge_small
from evalkit.data.subpopulations import Group, Infeasible, groups, infeasible, refuse_infeasible
from evalkit.data.weights import WeightedGrouping, weighted_groupings
from evalkit.decision.requirement import TEACHER_ACCURACY, Requirement, requirements_of
from evalkit.errors import SpecError
from evalkit.quality.metrics.catalogue import metric
from evalkit.spec.gate import GateSpec
from evalkit.spec.subpopulations import Subpopulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """``groups`` with their policy; the ``too_small`` ones among them, merged or not; the margin over all rows,
    which merged groups may have set; and the groupings that are averaged with production weights."""

    groups: tuple[Group, ...]
    too_small: tuple[Infeasible, ...]
    overall_margin: float | None
    weighted: tuple[WeightedGrouping, ...]


def grouping_of(
    spec: GateSpec, units: pd.DataFrame, confidence: float, by: Sequence[Subpopulation] | None = None
) -> Grouping:
    """The groups of ``units``, by the spec's groupings or those of them in ``by``; small ones are merged where the
    spec asks for it, at one-sided ``confidence``."""
    quality, policy = spec.requirements.quality, spec.subpopulations
    found = groups(
        units,
        policy.by if by is None else by,
        quality.subpopulation_margin,
        columns=spec.data.columns,
        kind=spec.task.kind,
        labels=spec.task.labels,
    )
    judged, overall_margin = found, quality.overall_margin
    if policy.small == "merge":
        merged = merge_small(found, quality.overall_margin, confidence, policy.minimum_rows)
        judged, overall_margin = merged.groups, merged.overall_margin
    return Grouping(
        groups=judged,
        too_small=infeasible(found, confidence, policy.minimum_rows),
        overall_margin=overall_margin,
        weighted=weighted_groupings(found),
    )


def refuse_small(spec: GateSpec, grouping: Grouping) -> None:
    """Raises DataError for groups too small to pass, where the spec says block. Those that only the answers make, or
    that only this look's confidence makes too small, are not known earlier."""
    if spec.subpopulations.small == "block":
        refuse_infeasible(grouping.too_small)


def refuse_unasked(spec: GateSpec, known: Sequence[Group]) -> None:
    """Raises SpecError where something is required, and none of it of the student's answers: such a gate would let
    through a student that is always wrong, if only it is cheap. ``known`` are the groups known before the answers."""
    margin = spec.requirements.quality.overall_margin
    grouping = Grouping(groups=tuple(known), too_small=(), overall_margin=margin, weighted=())
    required = [claim for claim in claims_of(spec, grouping) if claim.required]
    asked = any(claim.is_quality and claim.measurement != TEACHER_ACCURACY for claim in required)
    if required and not asked and not any(_asks_later(each, spec) for each in spec.subpopulations.by):
        raise SpecError(
            f"requirements ask for {', '.join(claim.measurement for claim in required)} and for nothing of the "
            "student's answers; require some of it: requirements.quality.overall_margin, retention or a metric, or a "
            "subpopulation with a margin"
        )


def _asks_later(grouping: Subpopulation, spec: GateSpec) -> bool:
    """Whether groups that only the answers make are required to keep to a margin."""
    own = (policy.margin for policy in grouping.groups.values())
    margins = (grouping.margin, spec.requirements.quality.subpopulation_margin, *own)
    return grouping.needs_predictions and grouping.requires_something and any(margin is not None for margin in margins)


def claims_of(spec: GateSpec, grouping: Grouping, discovered: Sequence[str] = ()) -> tuple[Requirement, ...]:
    """Every claim of the spec; ``discovered`` names the subpopulations that the search confirmed."""
    bar = spec.requirements
    quality = bar.quality.model_copy(update={"overall_margin": grouping.overall_margin})
    return requirements_of(
        bar.model_copy(update={"quality": quality}),
        grouping.groups,
        discovered=discovered,
        discovery_required=spec.discovery is not None and spec.discovery.required,
        weighted=tuple(each.name for each in grouping.weighted),
        higher_is_better={
            each.metric: metric(each.metric, spec.task.kind, spec.task.labels).higher_is_better
            for each in quality.metrics
        },
        minimum_rows=spec.subpopulations.minimum_rows,
    )
