"""The plan: what the held-out rows can answer, whether it pays, and what speaks against starting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.planning.break_even import BreakEven
from evalkit.planning.candidate import Concern
from evalkit.planning.claim_plan import ENOUGH_POWER, ClaimPlan, plan_claim
from evalkit.planning.left_out import LeftOut, left_out
from evalkit.planning.question import Question
from evalkit.quality.paired_gap import accuracy
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import ALL_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class AllAtOnce:
    """The chance that every required claim is shown. ``product`` takes them for independent; ``minimum`` is the
    weakest one's, and no joint chance exceeds it. Claims on shared rows lie between; `evalkit selfcheck` simulates
    them. Both are None where nothing is required."""

    product: float | None
    minimum: float | None
    claims: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherAccuracy:
    """The teacher's own accuracy, where it has answered."""

    subpopulation: str
    value: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What was taken for true over all rows, and whether it was observed."""

    difference: float
    discordance: float
    discordance_from: str
    teacher_accuracy: float
    teacher_accuracy_from: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``answerable``: every required claim has at least 80 % power under the assumptions. ``cannot`` says which
    has not, and how many rows to add where."""

    rows: int
    confidence: float
    assumed: Assumed
    claims: tuple[ClaimPlan, ...]
    all_at_once: AllAtOnce
    teacher: tuple[TeacherAccuracy, ...]
    left_out: tuple[LeftOut, ...]
    break_even: BreakEven
    concerns: tuple[Concern, ...]
    notes: tuple[str, ...]
    answerable: bool
    cannot: tuple[str, ...]


def planned_claims(question: Question) -> tuple[ClaimPlan, ...]:
    """Every claim on paired rows, in the order of the spec."""
    return tuple(plan_claim(claim, question) for claim in question.planned())


def teacher_accuracies(question: Question) -> tuple[TeacherAccuracy, ...]:
    """The teacher's accuracy over all rows and in every group; empty before it has answered."""
    right = question.observed.teacher
    if right is None:
        return ()
    level = 2.0 * question.confidence - 1.0
    found = []
    for name in (ALL_ROWS, *(group.name for group in question.groups)):
        rows = question.members[name]
        clusters = None if question.clusters is None else question.clusters[rows]
        measured = accuracy("teacher_accuracy", name, right[rows], clusters, level)
        found.append(TeacherAccuracy(subpopulation=name, value=measured.value))
    return tuple(found)


def put_together(
    question: Question,
    claims: tuple[ClaimPlan, ...],
    teacher: tuple[TeacherAccuracy, ...],
    payback: BreakEven,
    found: tuple[Concern, ...],
    notes: Sequence[str],
) -> Plan:
    """The plan from its parts."""
    cannot = (*_too_weak(claims), *question.blocked)
    return Plan(
        rows=question.rows,
        confidence=question.confidence,
        assumed=assumed(question),
        claims=claims,
        all_at_once=all_at_once(claims),
        teacher=teacher,
        left_out=left_out(question, question.planned()),
        break_even=payback,
        concerns=found,
        notes=(*notes, *_cluster_notes(question)),
        answerable=not cannot,
        cannot=cannot,
    )


def all_at_once(claims: Sequence[ClaimPlan]) -> AllAtOnce:
    """Product and minimum of the required claims' powers."""
    powers = [claim.power for claim in claims if claim.required]
    return AllAtOnce(
        product=math.prod(powers) if powers else None,
        minimum=min(powers) if powers else None,
        claims=len(powers),
    )


def _too_weak(claims: Sequence[ClaimPlan]) -> tuple[str, ...]:
    required = [claim for claim in claims if claim.required]
    if not required:
        return ("no claim on the held-out rows is required; state a requirement",)
    return tuple(_remedy(claim) for claim in required if not claim.answerable)


def _remedy(claim: ClaimPlan) -> str:
    where = "over all rows" if claim.subpopulation == ALL_ROWS else f"in {claim.subpopulation}"
    begin = f"{claim.measurement} {where}: {claim.power:.0%} power on {claim.n:,} rows"
    if claim.too_few_clusters is not None:
        return f"{begin}, because {claim.too_few_clusters}; add rows of other clusters, or drop rows of the largest"
    if claim.further_rows is None:
        return f"{begin}, and no number of rows gives {ENOUGH_POWER:.0%} under these assumptions; widen the bar"
    return f"{begin}; add {claim.further_rows:,} rows ({claim.rows_80:,} give {ENOUGH_POWER:.0%}) or widen the bar"


def assumed(question: Question) -> Assumed:
    """What is taken for true over all rows, said with where it is from."""
    overall, observed = question.overall, question.observed
    return Assumed(
        difference=overall.difference,
        discordance=overall.discordance,
        discordance_from=overall.discordance_from,
        teacher_accuracy=overall.teacher_accuracy,
        teacher_accuracy_from="assumed" if observed.teacher is None else "observed",
        evidence=observed.source,
    )


def _cluster_notes(question: Question) -> tuple[str, ...]:
    if question.clusters is None:
        return ()
    count = len(set(question.clusters.tolist()))
    if question.observed.paired:
        return (f"{question.rows:,} rows share {count:,} clusters: power is that of the effective rows as observed",)
    worth = "how few they count for is known only once both have answered"
    return (f"{question.rows:,} rows share {count:,} clusters; {worth}: power is that of independent rows",)
