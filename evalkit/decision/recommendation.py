"""What to do next, and why: one line beside every verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.against_controls import Advice
from evalkit.decision.cascade import CascadeOffer, can_stand_in
from evalkit.decision.check import Check, CheckOutcome
from evalkit.decision.needs import Need, names_text, needs_of, needs_text
from evalkit.decision.requirement import TEACHER_ACCURACY
from evalkit.diagnosis.finding import Finding
from evalkit.quality.outside import as_counted

SAVES_TOO_LITTLE = "it saves too little to be worth replacing the teacher"
TRAIN_MORE = "train a larger student, or longer, or on more text"
BETTER_TEACHER = "the teacher itself is below the bar: correct its labels or take a better one before distilling again"
TOO_NEAR = "no feasible amount of further evidence would decide it, the estimate lies too near the bar"


class Action(StrEnum):
    """What a reader does next."""

    DEPLOY = "DEPLOY"
    DO_NOT_DISTIL = "DO NOT DISTIL"
    CASCADE = "DEPLOY WITH CASCADE"
    COLLECT = "COLLECT"
    RETRAIN = "RETRAIN"
    KEEP_THE_TEACHER = "KEEP THE TEACHER"
    MEASURE_AGAIN = "MEASURE AGAIN"
    STATE_A_REQUIREMENT = "STATE A REQUIREMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """``finding`` is the failure mode that the reason rests on. ``needs`` says what the open claims need to be
    decided, one line a subpopulation and unit, that of the deciding claim first."""

    action: Action
    reason: str
    finding: str | None = None
    needs: tuple[Need, ...] = ()

    @property
    def text(self) -> str:
        """The recommendation in one line."""
        if self.action is Action.COLLECT and self.needs:
            first = self.needs[0]
            return f"{self.action} about {first.units:,} MORE {first.counted_in.upper()}{first.place}: {self.reason}"
        return f"{self.action}: {self.reason}"


def recommend(
    decisive: Sequence[Check],
    deciding: Check | None,
    findings: Sequence[Finding],
    confidence: float,
    cascade: CascadeOffer | None,
    controls: Advice | None = None,
) -> Recommendation:
    """What follows from the ``decisive`` checks, of which ``deciding`` decided. A cascade is recommended where one is
    offered and nothing but the student's quality stands against a GO; it never changes the outcome, and neither does
    what the ``controls`` say of distilling, which stands beside every recommendation."""
    return _beside_controls(_recommend(decisive, deciding, findings, confidence, cascade), controls)


def _recommend(
    decisive: Sequence[Check],
    deciding: Check | None,
    findings: Sequence[Finding],
    confidence: float,
    cascade: CascadeOffer | None,
) -> Recommendation:
    fired = [finding for finding in findings if finding.fired]
    if deciding is None:
        return Recommendation(action=Action.STATE_A_REQUIREMENT, reason="nothing was required, so nothing was shown")
    if deciding.outcome is CheckOutcome.PASSED:
        return _deploy(fired)
    still_open = _worst_first([check for check in decisive if check.outcome is CheckOutcome.OPEN], deciding)
    if cascade is not None and can_stand_in(cascade, decisive, confidence):
        return _cascade(cascade, deciding, still_open)
    if deciding.outcome is CheckOutcome.FAILED:
        return _after_no_go([check for check in decisive if check.outcome is CheckOutcome.FAILED], deciding, fired)
    return _gather(deciding, still_open)


def _beside_controls(found: Recommendation, controls: Advice | None) -> Recommendation:
    """Where a control is as good as a student that may be deployed, that is the recommendation."""
    if controls is None:
        return found
    if not controls.do_not_distil:
        return replace(found, reason=f"{found.reason.removesuffix('.')}; {controls.text}")
    if found.action is Action.DEPLOY:
        return replace(
            found,
            action=Action.DO_NOT_DISTIL,
            reason=f"{controls.text}. The student may replace its teacher all the same: {found.reason}",
        )
    return replace(found, reason=f"{found.reason.removesuffix('.')}; and do not distil: {controls.text}")


def _worst_first(checks: Sequence[Check], deciding: Check) -> list[Check]:
    return sorted(checks, key=lambda check: (check is not deciding, -check.tested_use_of_margin))


def _deploy(fired: Sequence[Finding]) -> Recommendation:
    reason = "every required claim is shown at the stated confidence"
    if not fired:
        return Recommendation(action=Action.DEPLOY, reason=reason)
    return Recommendation(
        action=Action.DEPLOY,
        reason=f"{reason}; look into this first: {fired[0].explanation}",
        finding=fired[0].failure_mode.value,
    )


def _cascade(offer: CascadeOffer, deciding: Check, still_open: Sequence[Check]) -> Recommendation:
    return Recommendation(
        action=Action.CASCADE,
        reason=(
            f"the student alone is not good enough ({deciding.explanation}), but with the teacher for "
            f"{offer.share_to_teacher:.1%} of the requests every bar is met: {offer.explanation}"
        ),
        needs=needs_of(still_open),
    )


def _after_no_go(failed: Sequence[Check], deciding: Check, fired: Sequence[Finding]) -> Recommendation:
    quality = sorted((check for check in failed if check.is_quality), key=lambda check: -check.tested_use_of_margin)
    if not quality:
        saves_too_little = deciding.requirement.measurement == REDUCTION
        reason = f"{deciding.explanation}; {SAVES_TOO_LITTLE}" if saves_too_little else deciding.explanation
        return Recommendation(action=Action.KEEP_THE_TEACHER, reason=reason)
    finding = _finding_for(quality[0], fired)
    if finding is not None:
        return Recommendation(
            action=Action.RETRAIN,
            reason=f"{finding.corrective_practice} ({finding.failure_mode.value}: {finding.explanation})",
            finding=finding.failure_mode.value,
        )
    about_the_student = [check for check in quality if check.requirement.measurement != TEACHER_ACCURACY]
    remedy = TRAIN_MORE if about_the_student else BETTER_TEACHER
    return Recommendation(action=Action.RETRAIN, reason=f"{remedy} ({(about_the_student or quality)[0].explanation})")


def _finding_for(check: Check, fired: Sequence[Finding]) -> Finding | None:
    """The finding about the claim's own subpopulation, else the first."""
    where = check.requirement.subpopulation
    return next((each for each in fired if each.measurement.subpopulation == where), next(iter(fired), None))


def _gather(deciding: Check, still_open: Sequence[Check]) -> Recommendation:
    needs = needs_of(still_open)
    is_known = deciding.further_needed is not None
    others = [check for check in still_open if check is not deciding]
    reason = "; ".join([_why(deciding), *_besides(needs[1:] if is_known else needs, others)])
    if is_known:
        return Recommendation(action=Action.COLLECT, reason=reason, needs=needs)
    action = Action.KEEP_THE_TEACHER if _is_too_near(deciding) else Action.MEASURE_AGAIN
    return Recommendation(action=action, reason=reason, needs=needs)


def _why(check: Check) -> str:
    return f"{check.explanation}; {TOO_NEAR}" if _is_too_near(check) else check.explanation


def _is_too_near(check: Check) -> bool:
    name = check.requirement.measurement
    if name != as_counted(name):
        return False  # reading the answers, or asking for labels more clearly, decides it
    is_judged = check.use_of_margin is not None and check.unusable is None
    return is_judged and check.further_needed is None


def _besides(needs: Sequence[Need], others: Sequence[Check]) -> list[str]:
    """What the other open claims need: units, a measurement, or more than can be had."""
    without_number = [check for check in others if check.further_needed is None]
    unmeasured = [check for check in without_number if not _is_too_near(check)]
    too_near = [check for check in without_number if _is_too_near(check)]
    said = []
    if needs:
        said.append(f"also needed: {needs_text(needs)}")
    if unmeasured:
        said.append(f"still to be measured: {names_text(unmeasured)}")
    if too_near:
        said.append(f"too near the bar to be decided: {names_text(too_near)}")
    return said
