"""Were two models compared at all? A teacher against itself passes every claim, and shows nothing."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.decision.requirement import METRIC_GAP, Direction, Requirement
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.outside import OF_ROWS, as_counted
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
    the two apart, and where agreement was not measured. Answers outside the labels agree with nothing: where as many
    rows disagree as either model answered outside, they are the same rows, and tell nothing apart."""
    overall = [each for each in measurements if each.subpopulation == ALL_ROWS]
    agreement = next((each for each in overall if each.name == AGREEMENT), None)
    if agreement is None or not isinstance(agreement.value, Interval):
        return None
    outside = {_share(overall, f"{role}_{OF_ROWS}") for role in (TEACHER, STUDENT)}
    if len(outside) > 1 or agreement.value.point + outside.pop() < 1.0 - ROUNDING:
        return None
    return None if any(_tells_apart(each) for each in overall) else agreement


def _tells_apart(measured: Measurement) -> bool:
    is_gap = measured.name.startswith(METRIC_GAP) and measured.name == as_counted(measured.name)
    is_difference = measured.name == DIVERGENCE or is_gap
    return is_difference and isinstance(measured.value, Interval) and abs(measured.value.point) > ROUNDING


def _share(overall: Sequence[Measurement], name: str) -> float:
    """The point of a share; 0 where the model gave no such answer, which is then not measured."""
    value = next((each.value for each in overall if each.name == name), None)
    return value.point if isinstance(value, Interval) else 0.0
