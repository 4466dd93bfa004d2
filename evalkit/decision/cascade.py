"""The student answers what it is sure of and the teacher the rest: an offer that the cost room may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.check import Check, CheckOutcome
from evalkit.decision.evidence import claim_of
from evalkit.decision.requirement import TEACHER_ACCURACY, Direction, Requirement
from evalkit.quality.outside import as_counted
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import ALL_ROWS, Measurement

NO_SAVING = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeOffer:
    """A cascade that meets every quality and latency bar, which whoever offers it has shown.

    ``share_to_teacher`` of the requests, in (0, 1), go on to the teacher; ``cost_reduction`` is the teacher's cost ÷
    the cascade's per request, at the level of the verdict's other intervals. ``explanation`` says how the requests
    are told apart and what was measured.
    """

    share_to_teacher: float
    cost_reduction: Estimate
    explanation: str


def can_stand_in(offer: CascadeOffer, decisive: Sequence[Check], confidence: float) -> bool:
    """Whether the offer helps: nothing but the student's measured quality stands against a GO, and the cascade is
    shown to save what was asked for (anything at all, where no saving was)."""
    short = [check for check in decisive if check.outcome is not CheckOutcome.PASSED]
    if not short or not all(_is_measured_quality_of_the_student(check) for check in short):
        return False
    if not 0.0 < offer.share_to_teacher < 1.0:
        return False
    asked = [check.requirement.bound for check in decisive if check.requirement.measurement == REDUCTION]
    saving = Requirement(
        measurement=REDUCTION,
        subpopulation=ALL_ROWS,
        bound=max([NO_SAVING, *asked]),
        direction=Direction.ABOVE,
    )
    measured = Measurement(
        name=REDUCTION, subpopulation=ALL_ROWS, unit="ratio", value=offer.cost_reduction, evidence="cascade"
    )
    return claim_of(saving, measured, confidence).is_inside


def _is_measured_quality_of_the_student(check: Check) -> bool:
    name = check.requirement.measurement
    is_about_student = check.is_quality and name != TEACHER_ACCURACY and name == as_counted(name)
    return is_about_student and check.use_of_margin is not None and check.unusable is None
