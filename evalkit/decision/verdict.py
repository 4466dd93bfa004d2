"""Requirements × measurements → verdict. Pure: no clock, no file, no randomness."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.against_controls import advice
from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.check import Check, CheckOutcome, check_all
from evalkit.decision.evidence import claims_of
from evalkit.decision.identity import DISTINCT, indistinct
from evalkit.decision.if_right import checks_if_right
from evalkit.decision.outcome import Outcome as Outcome
from evalkit.decision.outcome import together
from evalkit.decision.recommendation import Recommendation, recommend
from evalkit.decision.requirement import Requirement
from evalkit.decision.stability import Stability, stability_of
from evalkit.decision.standing import standing_of
from evalkit.diagnosis.finding import Finding
from evalkit.quality.controls import ControlsReport
from evalkit.stats.measurement import Measurement

EXIT_CODES = {Outcome.GO: 0, Outcome.NO_GO: 1, Outcome.INCONCLUSIVE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``deciding`` is the check that decided: the worst failed one, the most open one, or the tightest pass.
    ``stability`` says how little would have had to be otherwise for another outcome."""

    outcome: Outcome
    checks: tuple[Check, ...]
    deciding: Check | None
    recommendation: Recommendation
    stability: Stability | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def decide(
    requirements: Sequence[Requirement],
    measurements: Sequence[Measurement],
    findings: Sequence[Finding],
    confidence: float,
    cascade: CascadeOffer | None = None,
    controls: ControlsReport | None = None,
) -> Verdict:
    """GO when every required claim is shown (intersection–union, each at one-sided 1 − confidence); NO-GO when some
    required claim, or one of a merged group, is shown to be broken (Holm over all of them); INCONCLUSIVE otherwise, and
    always when nothing was required, student and teacher cannot be told apart, or a required gap or retention is not
    shown with the teacher right wherever it answered outside the labels.

    A ``cascade`` may be recommended beside the outcome, and ``controls`` that are as good may be recommended in the
    student's place; neither changes it. Raises ValueError for a confidence
    outside (0.5, 1), at which no interval has ends that bound anything.
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; give a fraction in (0.5, 1), e.g. 0.95")
    checks = check_all(requirements, measurements, confidence)
    same = _one_model(requirements, measurements, confidence)
    held_open = checks_if_right(requirements, measurements, confidence) + (() if same is None else (same,))
    checks += held_open
    decisive = [check for check in checks if check.decides]
    outcome = together(check.outcome for check in decisive)
    deciding = _binding(outcome, decisive)
    is_barred = any(check.outcome is CheckOutcome.OPEN for check in held_open)
    standing = standing_of(claims_of(requirements, measurements, confidence), confidence, is_barred=is_barred)
    return Verdict(
        outcome=outcome,
        checks=checks,
        deciding=deciding,
        recommendation=recommend(
            decisive, deciding, findings, confidence, cascade, None if controls is None else advice(controls)
        ),
        stability=stability_of(standing),
    )


def _one_model(
    requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float
) -> Check | None:
    """An open check of its own where student and teacher cannot be told apart, and something was required."""
    agreement = indistinct(measurements)
    if agreement is None or not any(each.required for each in requirements):
        return None
    (check,) = check_all([dataclasses.replace(DISTINCT, units=requirements[0].units)], [agreement], confidence)
    return dataclasses.replace(check, outcome=CheckOutcome.OPEN, use_of_margin=None, further_needed=None)


def _binding(outcome: Outcome, decisive: Sequence[Check]) -> Check | None:
    wanted = {
        Outcome.NO_GO: CheckOutcome.FAILED,
        Outcome.INCONCLUSIVE: CheckOutcome.OPEN,
        Outcome.GO: CheckOutcome.PASSED,
    }[outcome]
    eligible = [check for check in decisive if check.outcome is wanted]
    return max(eligible, key=lambda check: check.tested_use_of_margin, default=None)
