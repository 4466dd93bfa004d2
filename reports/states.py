"""The states a reader tells apart by shape and word, and only then by colour."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.decision.check import CheckOutcome
from evalkit.decision.verdict import Outcome


@dataclass(frozen=True, slots=True)
class State:
    """``style`` names the colour in the style sheet."""

    icon: str
    word: str
    style: str

    @property
    def text(self) -> str:
        return f"{self.icon} {self.word}"


PASSED = State("●", "passed", "passed")
FAILED = State("■", "failed", "failed")
OPEN = State("◇", "open", "open")
MERGED = State("○", "merged", "noted")
CHECKS = {
    CheckOutcome.PASSED: PASSED,
    CheckOutcome.FAILED: FAILED,
    CheckOutcome.OPEN: OPEN,
    CheckOutcome.MERGED: MERGED,
}

VERDICTS = {
    Outcome.GO: State("●", "GO", "passed"),
    Outcome.NO_GO: State("■", "NO-GO", "failed"),
    Outcome.INCONCLUSIVE: State("◇", "INCONCLUSIVE", "open"),
}

HOLDS = State("●", "holds", "passed")
BROKEN = State("■", "broken", "failed")
VOID = State("■", "VOID", "failed")
LOOK = State("▲", "look", "noted")
NOT_MEASURED = State("◇", "not measured", "open")

FIRED = State("▲", "fired", "noted")
NOT_JUDGED = State("○", "not judged", "noted")
ELSEWHERE = State("○", "see claims", "noted")
QUIET = State("●", "not fired", "passed")
