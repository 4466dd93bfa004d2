"""One claim against its measurement: shown, broken, or still open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.evidence import Claim, claims_of
from evalkit.decision.family import broken_of, holm_divisors, p_broken
from evalkit.decision.further import counted_in, further_by_approximation, further_needed
from evalkit.decision.requirement import Requirement
from evalkit.decision.use_of_margin import UseOfMargin as UseOfMargin
from evalkit.decision.use_of_margin import use_of_margin
from evalkit.decision.wording import describe
from evalkit.stats.measurement import Measurement

MOST_EXACT = 50
"""Open claims, the most open first, whose further rows are found by exact enumeration, in 10 to 100 ms each; those
beyond are planned by the normal approximation."""


class CheckOutcome(StrEnum):
    """What the evidence says of one claim. That of a merged group is left to another where it is not shown to be
    broken."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``further_needed`` more units (``counted_in``) would decide an open claim with 80 % chance if what was
    observed is true; None where no number would, or none is known. ``unusable`` says why an interval that is there
    shows nothing, such as a level below the one asked for."""

    requirement: Requirement
    measurement: Measurement | None
    outcome: CheckOutcome
    explanation: str
    use_of_margin: UseOfMargin | None
    further_needed: int | None
    counted_in: str
    unusable: str | None = None

    @property
    def is_quality(self) -> bool:
        return self.requirement.is_quality

    @property
    def decides(self) -> bool:
        """Whether the verdict rests on it: it is required, or a merged group's and shown to be broken."""
        return decides(self.requirement, self.outcome)

    @property
    def tested_use_of_margin(self) -> float:
        """The unfavourable end; infinite where nothing was measured."""
        return math.inf if self.use_of_margin is None else self.use_of_margin.upper


def check_all(
    requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float
) -> tuple[Check, ...]:
    """One check a requirement, in their order. A measurement that is not there leaves its claim open."""
    claims = claims_of(requirements, measurements, confidence)
    p_values = p_broken(claims)
    family = family_of(claims)
    outcomes = outcomes_of(claims, p_values, confidence)
    divisors = np.ones(len(claims), dtype=np.int64)
    divisors[family] = holm_divisors(p_values[family])
    checks = [_check(claim, outcome) for claim, outcome in zip(claims, outcomes, strict=True)]
    undecided = [index for index, check in enumerate(checks) if check.outcome is CheckOutcome.OPEN]
    undecided.sort(key=lambda index: -checks[index].tested_use_of_margin)
    for rank, index in enumerate(undecided):
        plan = further_needed if rank < MOST_EXACT else further_by_approximation
        more = plan(claims[index], confidence, int(divisors[index]))
        checks[index] = dataclasses.replace(checks[index], further_needed=more)
    return tuple(checks)


def outcomes_of(claims: Sequence[Claim], p_values: NDArray[np.float64], confidence: float) -> tuple[CheckOutcome, ...]:
    """What the evidence says of each claim, and nothing more: a thousand claims take milliseconds."""
    broken = broken_of(p_values, family_of(claims), confidence)
    return tuple(
        CheckOutcome.FAILED if failed else _unbroken(claim) for claim, failed in zip(claims, broken, strict=True)
    )


def _unbroken(claim: Claim) -> CheckOutcome:
    if claim.requirement.merged_into is not None:
        return CheckOutcome.MERGED
    return CheckOutcome.PASSED if claim.is_inside else CheckOutcome.OPEN


def decides(requirement: Requirement, outcome: CheckOutcome) -> bool:
    """Whether the verdict rests on a claim with this outcome."""
    return requirement.required or (requirement.can_break and outcome is CheckOutcome.FAILED)


def family_of(claims: Sequence[Claim]) -> NDArray[np.bool_]:
    """Which claims a NO-GO may rest on, [n]."""
    return np.array([claim.requirement.can_break for claim in claims], dtype=np.bool_)


def _check(claim: Claim, outcome: CheckOutcome) -> Check:
    value = claim.interval if claim.is_readable else None
    return Check(
        requirement=claim.requirement,
        measurement=claim.measurement,
        outcome=outcome,
        explanation=describe(claim),
        use_of_margin=None if value is None else use_of_margin(claim.requirement, value),
        further_needed=None,
        counted_in=counted_in(claim.requirement),
        unusable=claim.unusable,
    )
