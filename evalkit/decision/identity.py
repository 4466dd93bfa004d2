"""Were two models compared at all? A teacher against itself passes every claim, and shows nothing."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.decision.requirement import METRIC_GAP, Direction, Requirement
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement

AGREEMENT = "agreement"
DIVERGENCE = "teacher_student_kl"
ROUNDING = 1e-9
"""What the same model served twice in single precision may differ by; one of half precision differs by more."""
DISTINCT = Requirement(measurement=AGREEMENT, subpopulation=ALL_ROWS, bound=1.0, direction=Direction.BELOW)


def indistinct(measurements: Sequence[Measurement]) -> Measurement | None:
    """The agreement over all rows, where student and teacher give the same answer on every one of them and nothing
    else differs either: neither their probabilities nor any metric, where there are any. None where something tells
    the two apart, and where agreement was not measured."""
    overall = [each for each in measurements if each.subpopulation == ALL_ROWS]
    agreement = next((each for each in overall if each.name == AGREEMENT), None)
    if agreement is None or not isinstance(agreement.value, Interval) or agreement.value.point < 1.0:
        return None
    return None if any(_tells_apart(each) for each in overall) else agreement


def _tells_apart(measured: Measurement) -> bool:
    is_difference = measured.name == DIVERGENCE or measured.name.startswith(METRIC_GAP)
    return is_difference and isinstance(measured.value, Interval) and abs(measured.value.point) > ROUNDING
