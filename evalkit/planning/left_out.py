"""Claims and groups that a plan cannot speak of, and why: none is dropped silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.cost.per_request import REDUCTION
from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import (
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    TEACHER_ACCURACY,
    Requirement,
)
from evalkit.planning.question import Question
from evalkit.quality.reweighted import WEIGHTED

ON_MODELS = "is measured on the served models, not on held-out rows"
REASONS = {
    STUDENT_P50: ON_MODELS,
    STUDENT_P99: ON_MODELS,
    SPEED_UP: ON_MODELS,
    SPEED_UP_P99: ON_MODELS,
    TEACHER_ACCURACY: "is a claim about the teacher alone",
    REDUCTION: "follows from prices and throughput, not from held-out rows",
}
WEIGHTED_AVERAGE = "is an average over groups with production weights, which four counts do not give"
OTHERWISE = "has no power that follows from right and wrong rows alone: it depends on the answers themselves"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A claim or a group, by name, that no power is given for."""

    name: str
    subpopulation: str
    required: bool
    reason: str


def left_out(question: Question, spoken_of: Sequence[Requirement]) -> tuple[LeftOut, ...]:
    """Claims other than ``spoken_of``, then groups that no claim is made of."""
    known = set(spoken_of)
    claims = [_claim(claim) for claim in question.claims if claim not in known]
    claimed = {claim.subpopulation for claim in question.claims}
    return (*claims, *(_group(group) for group in question.groups if group.name not in claimed))


def _claim(claim: Requirement) -> LeftOut:
    return LeftOut(
        name=claim.measurement, subpopulation=claim.subpopulation, required=claim.required, reason=_reason(claim)
    )


def _reason(claim: Requirement) -> str:
    if claim.merged_into is not None:
        return f"merged into {claim.merged_into}, which must pass in its place; it can only be shown to be broken"
    is_weighted = claim.subpopulation.startswith(WEIGHTED)
    return WEIGHTED_AVERAGE if is_weighted else REASONS.get(claim.measurement, OTHERWISE)


def _group(group: Group) -> LeftOut:
    merged = group.merged_into
    reason = f"merged into {merged}: too small to be judged alone" if merged else "no margin is stated for it"
    return LeftOut(name="group", subpopulation=group.name, required=False, reason=f"{group.n:,} rows, {reason}")
