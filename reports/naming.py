"""What a measurement is called, and in which unit it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.requirement import (
    SPEED_UP,
    STUDENT_P50,
    STUDENT_P99,
    Direction,
    Requirement,
)
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS
from reports import numbers
from reports.words import one_line


@dataclass(frozen=True, slots=True)
class Quantity:
    """``number`` writes a value without its unit, ``stated`` a bound that a person wrote down."""

    label: str
    unit: str
    number: Callable[[float], str]
    stated: Callable[[float], str] = numbers.stated

    def with_unit(self, number: str) -> str:
        return f"{number} {self.unit}" if self.unit else number


def _percentage(share: float) -> str:
    return numbers.percent(share).removesuffix(" %")


def _stated_percentage(share: float) -> str:
    return numbers.stated(100 * share)


KNOWN = {
    GAP: Quantity("Accuracy gap, student − teacher", "points", numbers.points, numbers.stated_points),
    RETENTION: Quantity("Retention, student ÷ teacher accuracy", "%", _percentage, _stated_percentage),
    STUDENT_P50: Quantity("Student latency, p50", "ms", numbers.significant),
    STUDENT_P99: Quantity("Student latency, p99", "ms", numbers.significant),
    SPEED_UP: Quantity("Speed-up at p50", "×", numbers.significant),
    REDUCTION: Quantity("Cost reduction", "×", numbers.significant),
    "teacher_accuracy": Quantity("Teacher accuracy", "%", _percentage),
    "student_accuracy": Quantity("Student accuracy", "%", _percentage),
    "agreement": Quantity("Agreement: both give the same answer", "%", _percentage),
    "negative_flip_rate": Quantity("Negative flips: teacher right, student wrong", "%", _percentage),
    "positive_flip_rate": Quantity("Positive flips: student right, teacher wrong", "%", _percentage),
    "teacher_student_kl": Quantity("KL divergence, teacher ‖ student", "nats", numbers.significant),
}


def quantity(name: str) -> Quantity:
    """How ``name`` is read; an unknown one under its own name, with three significant digits.

    >>> quantity("student_p99_ms").label
    'Student latency, p99'
    """
    return KNOWN.get(name) or Quantity(one_line(name), "", numbers.significant)


def estimate_text(name: str, value: Estimate) -> str:
    """Point and interval with the unit, or why there is none.

    >>> gap = Interval(point=-0.03, lower=-0.05, upper=-0.01, level=0.9, n=10, method="")
    >>> estimate_text("student_minus_teacher_accuracy", gap)
    '−3.0 (−5.0 to −1.0) points'
    """
    if not isinstance(value, Interval):
        return f"not measured: {one_line(value.reason)}"
    known = quantity(name)
    point, lower, upper = (known.number(each) for each in (value.point, value.lower, value.upper))
    if value.lower == value.upper:
        return known.with_unit(point)
    return known.with_unit(f"{point} ({lower} to {upper})")


def bound_text(claim: Requirement) -> str:
    """The bar, in words and with its unit."""
    known = quantity(claim.measurement)
    bound = known.with_unit(known.stated(claim.bound))
    if claim.measurement == GAP:
        return f"no worse than {bound}"
    return f"at least {bound}" if claim.direction is Direction.ABOVE else f"at most {bound}"


def claim_name(claim: Requirement) -> str:
    """What is claimed, and of whom where that is not the whole: latency and cost have no subpopulations."""
    label = quantity(claim.measurement).label
    if claim.subpopulation == ALL_ROWS and claim.measurement not in (GAP, RETENTION):
        return label
    return f"{label.partition(',')[0]}, {where(claim.subpopulation)}"


def where(subpopulation: str) -> str:
    """A subpopulation's name; that of all rows in words."""
    return "all rows" if subpopulation == ALL_ROWS else one_line(subpopulation)
