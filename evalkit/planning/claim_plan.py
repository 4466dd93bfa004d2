"""One claim before it is measured: what the rows at hand can show of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evalkit.data.weights import WeightedGrouping
from evalkit.decision.requirement import Requirement
from evalkit.planning.claim_power import (
    accuracy_power,
    accuracy_rows,
    gap_power,
    gap_rows,
    retention_power,
    retention_rows,
    weighted_power,
    weighted_rows,
)
from evalkit.planning.question import Question
from evalkit.planning.rates import Rates
from evalkit.quality.design_effect import design_effect
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval
from evalkit.stats.proportions import proportion
from evalkit.stats.sample_size import feasibility_floor

ENOUGH_POWER = 0.8
MORE_POWER = 0.9
EXACT, APPROXIMATE, KNOWN = "enumeration", "normal approximation", "already measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPlan:
    """``n`` rows are there; ``floor`` are the fewest on which a student that never differs from
    its teacher could be shown (gaps only). ``power``
    is the chance that it is shown, ``rows_80`` and ``rows_90`` the rows for that chance, None where no number
    reaches it (or more than 10⁷). ``design_effect`` rows of a cluster count for one. ``answerable`` with 80 % power;
    ``further_rows`` are to be added for that, 0 where it is there, None where no number gives it, or where
    ``too_few_clusters`` says why more rows of the same clusters do not."""

    measurement: str
    subpopulation: str
    bound: float
    required: bool
    n: int
    floor: int | None
    power: float
    rows_80: int | None
    rows_90: int | None
    method: str
    difference: float
    discordance: float
    discordance_from: str
    design_effect: float
    answerable: bool
    further_rows: int | None
    too_few_clusters: str | None = None


def plan_claim(claim: Requirement, question: Question) -> ClaimPlan:
    """Power and rows of a claim about a gap, plain or weighted, the retention, or the teacher's own accuracy.

    Where the clusters are too few for an estimate there is no power.
    """
    planned, too_few = _plan_of_enough_clusters(claim, question), question.too_few_clusters(claim.subpopulation)
    if too_few is None:
        return planned
    return replace(
        planned,
        power=0.0,
        rows_80=None,
        rows_90=None,
        answerable=False,
        further_rows=None,
        too_few_clusters=too_few.reason,
    )


def _plan_of_enough_clusters(claim: Requirement, question: Question) -> ClaimPlan:
    if claim.subpopulation in question.weightings:
        return _weighted(claim, question, question.weightings[claim.subpopulation])
    if claim.measurement == GAP:
        return _gap(claim, question)
    if claim.measurement == RETENTION:
        return _retention(claim, question)
    return _teacher(claim, question)


def _gap(claim: Requirement, question: Question) -> ClaimPlan:
    rates, margin, confidence = question.rates(claim.subpopulation), -claim.bound, question.confidence
    return _planned(
        claim,
        question,
        rates,
        method=EXACT,
        effect=_effect(claim.subpopulation, question, ratio=1.0),
        floor=feasibility_floor(margin, confidence),
        power_of=lambda n: gap_power(n, rates, margin, confidence),
        rows_of=lambda power: gap_rows(rates, margin, confidence, power),
    )


def _retention(claim: Requirement, question: Question) -> ClaimPlan:
    rates, bar, confidence = question.rates(claim.subpopulation), claim.bound, question.confidence
    ratio = 1.0 + rates.difference / rates.teacher_accuracy if rates.teacher_accuracy else 1.0
    return _planned(
        claim,
        question,
        rates,
        method=EXACT,
        effect=_effect(claim.subpopulation, question, ratio),
        floor=None,
        power_of=lambda n: retention_power(n, rates, bar, confidence),
        rows_of=lambda power: retention_rows(rates, bar, confidence, power),
    )


def _teacher(claim: Requirement, question: Question) -> ClaimPlan:
    """The teacher's accuracy is known as soon as it has answered: the claim is then shown, or it is not."""
    rates, bar, confidence = question.rates(claim.subpopulation), claim.bound, question.confidence
    right = question.observed.teacher
    if right is None:
        return _planned(
            claim,
            question,
            rates,
            method=EXACT,
            effect=1.0,
            floor=None,
            power_of=lambda n: accuracy_power(n, rates.teacher_accuracy, bar, confidence),
            rows_of=lambda power: accuracy_rows(rates.teacher_accuracy, bar, confidence, power),
        )
    own = right[question.members[claim.subpopulation]]
    clusters = question.clusters
    effect = design_effect(
        own.astype(float), None if clusters is None else clusters[question.members[claim.subpopulation]]
    )
    accuracy = float(own.mean())

    def shown(n: int) -> float:
        share = proportion(round(accuracy * n), n, 2.0 * confidence - 1.0)
        return float(isinstance(share, Interval) and share.lower > bar)

    return _planned(
        claim,
        question,
        rates,
        method=KNOWN,
        effect=effect,
        floor=None,
        power_of=shown,
        rows_of=lambda power: accuracy_rows(accuracy, bar, confidence, power),
    )


def _weighted(claim: Requirement, question: Question, weighting: WeightedGrouping) -> ClaimPlan:
    """Rows are added in the proportions of those at hand."""
    margin, confidence = -claim.bound, question.confidence
    parts = [
        (float(share), group.n / _effect(group.name, question, ratio=1.0), question.rates(group.name))
        for share, group in zip(weighting.shares, weighting.groups, strict=True)
    ]
    return _claim_plan(
        claim,
        question.overall,
        n=question.rows,
        floor=None,
        power=weighted_power(parts, margin, confidence),
        rows=[weighted_rows(parts, question.rows, margin, confidence, power) for power in (ENOUGH_POWER, MORE_POWER)],
        method=APPROXIMATE,
        effect=1.0,
    )


def _planned(
    claim: Requirement,
    question: Question,
    rates: Rates,
    *,
    method: str,
    effect: float,
    floor: int | None,
    power_of: Callable[[int], float],
    rows_of: Callable[[float], int | None],
) -> ClaimPlan:
    """The plan from the power of effective rows; ``effect`` rows make one of them."""
    n, fewest = len(question.members[claim.subpopulation]), question.minimum_rows if claim.required else 1

    def real(rows: int | None) -> int | None:
        return None if rows is None else max(fewest, math.ceil(rows * effect))

    return _claim_plan(
        claim,
        rates,
        n=n,
        floor=real(floor),
        power=power_of(max(1, math.floor(n / effect))) if n >= fewest else 0.0,
        rows=[real(rows_of(power)) for power in (ENOUGH_POWER, MORE_POWER)],
        method=method,
        effect=effect,
    )


def _claim_plan(
    claim: Requirement,
    rates: Rates,
    *,
    n: int,
    floor: int | None,
    power: float,
    rows: Sequence[int | None],
    method: str,
    effect: float,
) -> ClaimPlan:
    answerable, enough = power >= ENOUGH_POWER, rows[0]
    further = 0 if answerable else None if enough is None else max(1, enough - n)
    return ClaimPlan(
        measurement=claim.measurement,
        subpopulation=claim.subpopulation,
        bound=claim.bound,
        required=claim.required,
        n=n,
        floor=floor,
        power=power,
        rows_80=rows[0],
        rows_90=rows[1],
        method=method,
        difference=rates.difference,
        discordance=rates.discordance,
        discordance_from=rates.discordance_from,
        design_effect=effect,
        answerable=answerable,
        further_rows=further,
    )


def _effect(subpopulation: str, question: Question, ratio: float) -> float:
    """Design effect of student − ratio · teacher, where both have answered; 1 where that is unknown."""
    observed, clusters = question.observed, question.clusters
    if clusters is None or observed.teacher is None or observed.student is None:
        return 1.0
    rows = question.members[subpopulation]
    values = observed.student[rows].astype(float) - ratio * observed.teacher[rows].astype(float)
    return design_effect(values, clusters[rows])
