"""From what the evidence says of each claim to what it says of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from evalkit.decision.check import CheckOutcome, decides, outcomes_of
from evalkit.decision.evidence import claims_of
from evalkit.decision.family import p_broken
from evalkit.decision.identity import indistinct
from evalkit.decision.if_right import checks_if_right
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
    if outcome is not Outcome.GO:
        return outcome
    held_open = any(
        each.outcome is CheckOutcome.OPEN for each in checks_if_right(requirements, measurements, confidence)
    )
    return Outcome.INCONCLUSIVE if held_open or indistinct(measurements) is not None else Outcome.GO


def together(outcomes: Iterable[CheckOutcome]) -> Outcome:
    """NO-GO where a claim failed, GO where every one passed and there is one, else INCONCLUSIVE."""
    seen = set(outcomes)
    if CheckOutcome.FAILED in seen:
        return Outcome.NO_GO
    return Outcome.GO if seen == {CheckOutcome.PASSED} else Outcome.INCONCLUSIVE
