"""Requirements × measurements → verdict. Pure: no clock, no file, no randomness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalkit.decision.check import Check, CheckOutcome, check_all
from evalkit.decision.requirement import Requirement
from evalkit.diagnosis.finding import Finding
from evalkit.stats.measurement import Measurement


class Outcome(StrEnum):
    """May this student replace its teacher?"""

    GO = "GO"
    NO_GO = "NO-GO"
    INCONCLUSIVE = "INCONCLUSIVE"


EXIT_CODES = {Outcome.GO: 0, Outcome.NO_GO: 1, Outcome.INCONCLUSIVE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``deciding`` is the check that decided: the worst failed one, the most open one, or the tightest pass."""

    outcome: Outcome
    checks: tuple[Check, ...]
    deciding: Check | None
    recommendation: str

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def decide(
    requirements: Sequence[Requirement],
    measurements: Sequence[Measurement],
    findings: Sequence[Finding],
    confidence: float,
) -> Verdict:
    """GO when every required claim is shown (intersection–union, each at one-sided 1 − confidence); NO-GO when
    some required claim is shown to be broken (Holm over the paired quality claims); INCONCLUSIVE otherwise,
    and always when nothing was required."""
    checks = check_all(requirements, measurements, confidence)
    deciding = [check for check in checks if check.requirement.required]
    outcome = _outcome(deciding)
    return Verdict(
        outcome=outcome,
        checks=checks,
        deciding=_binding(outcome, deciding),
        recommendation=_recommend(outcome, deciding, findings),
    )


def _outcome(checks: Sequence[Check]) -> Outcome:
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.FAILED in outcomes:
        return Outcome.NO_GO
    if outcomes == {CheckOutcome.PASSED}:
        return Outcome.GO
    return Outcome.INCONCLUSIVE


def _binding(outcome: Outcome, checks: Sequence[Check]) -> Check | None:
    wanted = {
        Outcome.NO_GO: CheckOutcome.FAILED,
        Outcome.INCONCLUSIVE: CheckOutcome.OPEN,
        Outcome.GO: CheckOutcome.PASSED,
    }[outcome]
    eligible = [check for check in checks if check.outcome is wanted]
    return max(eligible, key=lambda check: check.tested_use_of_margin, default=None)


def _recommend(outcome: Outcome, checks: Sequence[Check], findings: Sequence[Finding]) -> str:
    fired = [finding for finding in findings if finding.fired]
    if outcome is Outcome.GO:
        if fired:
            return f"DEPLOY, and look into this first: {fired[0].explanation}"
        return "DEPLOY: every required claim is shown at the stated confidence"
    if outcome is Outcome.NO_GO:
        failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
        if any(check.is_quality for check in failed):
            remedy = fired[0].corrective_practice if fired else "train a larger student, or longer, or on more text"
            return f"RETRAIN: {remedy}"
        return f"KEEP THE TEACHER: {failed[0].explanation}"
    still_open = [check for check in checks if check.outcome is CheckOutcome.OPEN]
    known = [check for check in still_open if check.further_needed]
    if known:
        most = max(known, key=lambda check: check.further_needed or 0)
        where = most.requirement.subpopulation
        return f"COLLECT about {most.further_needed:,} MORE {most.counted_in.upper()} in {where}: {most.explanation}"
    if not still_open:
        return "STATE A REQUIREMENT: nothing was required, so nothing was shown"
    return f"MEASURE AGAIN: {still_open[0].explanation}"
