"""From what the evidence says of each claim to what it says of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from evalkit.decision.check import CheckOutcome, decides, outcomes_of
from evalkit.decision.evidence import claims_of
from evalkit.decision.family import p_broken
from evalkit.decision.identity import indistinct
from evalkit.decision.requirement import Requirement
from evalkit.stats.measurement import Measurement


class Outcome(StrEnum):
    """May this student replace its teacher?"""

    GO = "GO"
    NO_GO = "NO-GO"
    INCONCLUSIVE = "INCONCLUSIVE"


def outcome_of(requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float) -> Outcome:
    """The outcome alone, as ``decide`` gives it: for the many verdicts of a simulation."""
    claims = [claim for claim in claims_of(requirements, measurements, confidence) if claim.requirement.can_break]
    outcomes = outcomes_of(claims, p_broken(claims), confidence)
    outcome = together(each for claim, each in zip(claims, outcomes, strict=True) if decides(claim.requirement, each))
    is_one_model = outcome is Outcome.GO and indistinct(measurements) is not None
    return Outcome.INCONCLUSIVE if is_one_model else outcome


def together(outcomes: Iterable[CheckOutcome]) -> Outcome:
    """NO-GO where a claim failed, GO where every one passed and there is one, else INCONCLUSIVE."""
    seen = set(outcomes)
    if CheckOutcome.FAILED in seen:
        return Outcome.NO_GO
    return Outcome.GO if seen == {CheckOutcome.PASSED} else Outcome.INCONCLUSIVE
