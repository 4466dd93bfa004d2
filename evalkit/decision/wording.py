"""Each claim and its evidence in one sentence."""

from __future__ import annotations

from dataclasses import replace

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.evidence import Claim
from evalkit.decision.identity import AGREEMENT
from evalkit.decision.requirement import (
    METRIC_GAP,
    ROWS,
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    TEACHER_ACCURACY,
    UNSPENT_ERROR,
    Requirement,
)
from evalkit.quality.discovery.discovered import FOUND
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import WEIGHTED
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS

NAMES = {
    RETENTION: "retention of the teacher's accuracy",
    TEACHER_ACCURACY: "the teacher's accuracy",
    STUDENT_P50: "p50 latency",
    STUDENT_P99: "p99 latency",
    SPEED_UP: "speed-up at p50",
    SPEED_UP_P99: "speed-up at p99",
    REDUCTION: "cost reduction",
    AGREEMENT: "agreement of student and teacher",
    UNSPENT_ERROR: "what is left of the error for looks at these rows",
}


REMEDY_IF_RIGHT = "read those answers, and ask for the labels more clearly"
IF_RIGHT = "with the teacher right wherever it answered outside the labels"


def name_of(claim: Requirement) -> str:
    """What a claim is about, in words.

    >>> from evalkit.decision.requirement import Direction
    >>> name_of(Requirement(measurement=GAP, subpopulation="channel=tweet", bound=-0.05, direction=Direction.ABOVE))
    'accuracy gap on channel=tweet'
    """
    return name_of_measured(claim.measurement, claim.subpopulation, claim.units)


def name_of_measured(measurement: str, subpopulation: str, units: str = ROWS) -> str:
    """What a measurement in a subpopulation is called, in words."""
    if measurement != as_counted(measurement):
        return f"{name_of_measured(as_counted(measurement), subpopulation, units)} {IF_RIGHT}"
    known = NAMES.get(measurement)
    if known is not None and subpopulation == ALL_ROWS:
        return known
    return f"{known or _gap_name(measurement)} {place_of(subpopulation, units)}"


def stated(measurement: str, bound: float) -> str:
    """A bar with its unit, as a reader would state it.

    >>> stated(GAP, -0.05), stated(RETENTION, 0.95), stated(STUDENT_P99, 50.0), stated(REDUCTION, 2.0)
    ('−5 points', '95 %', '50 ms', '2 ×')
    """
    if measurement == GAP:
        return f"{_short(100 * bound)} points"
    if measurement in (RETENTION, TEACHER_ACCURACY):
        return f"{_short(100 * bound)} %"
    if measurement in (STUDENT_P50, STUDENT_P99):
        return f"{_short(bound)} ms"
    return f"{_short(bound)} ×" if measurement in (SPEED_UP, SPEED_UP_P99, REDUCTION) else _short(bound)


def _short(number: float) -> str:
    return f"{number:.4g}".replace("-", "−")


def _gap_name(measurement: str) -> str:
    if measurement == GAP:
        return "accuracy gap"
    return f"gap in {measurement.removeprefix(METRIC_GAP)}" if measurement.startswith(METRIC_GAP) else measurement


def place_of(subpopulation: str, units: str = ROWS) -> str:
    """Where a claim is made, in words; ``units`` is what is counted there.

    >>> place_of("all"), place_of("all, weighted by channel"), place_of("channel=tweet")
    ('over all rows', 'over all rows weighted by channel', 'on channel=tweet')
    >>> place_of("all", "queries")
    'over all queries'
    >>> place_of("found: @words=≥23")
    'on the discovered subpopulation @words=≥23'
    """
    if subpopulation == ALL_ROWS:
        return f"over all {units}"
    if subpopulation.startswith(WEIGHTED):
        return f"over all {units} weighted by {subpopulation.removeprefix(WEIGHTED)}"
    if subpopulation.startswith(FOUND):
        return f"on the discovered subpopulation {subpopulation.removeprefix(FOUND)}"
    return f"on {subpopulation}"


def describe(claim: Claim) -> str:
    """What was required and what was measured, in the unit a reader thinks in, and why it shows nothing where it
    does not."""
    requirement, measured = claim.requirement, claim.measurement
    if measured is None:
        return f"{name_of(requirement)} was not measured"
    if not isinstance(measured.value, Interval):
        return f"{name_of(requirement)} could not be measured: {measured.value.reason}"
    if not claim.is_readable:
        return f"{name_of(requirement)} could not be judged: {claim.unusable}"
    said = _sentence(replace(requirement, measurement=as_counted(requirement.measurement)), measured.value)
    if requirement.measurement != as_counted(requirement.measurement):
        said += f", {IF_RIGHT}"
        said += "" if claim.is_bounded_inside else f": {REMEDY_IF_RIGHT}"
    if claim.is_bounded_inside and requirement.rows_short:
        return f"{said}; but its group has {requirement.rows_short:,} {requirement.units} fewer than minimum_rows"
    return f"{said}; but {claim.unusable}" if claim.unusable else said


def _sentence(claim: Requirement, value: Interval) -> str:
    bound = claim.bound
    match claim.measurement:
        case name if name == GAP:
            return (
                f"{name_of(claim)} is between {_points(value.lower)} and {_points(value.upper)} points; "
                f"allowed {_points(bound)}"
            )
        case name if name == RETENTION:
            return (
                f"the student keeps {_percent(value.lower)} to {_percent(value.upper)} % of the teacher's accuracy; "
                f"required {_percent(bound)} %"
            )
        case name if name == TEACHER_ACCURACY:
            return (
                f"{name_of(claim)} is between {_percent(value.lower)} and {_percent(value.upper)} %; "
                f"required {_percent(bound)} %"
            )
        case name if name in (STUDENT_P50, STUDENT_P99):
            which = "p50" if name == STUDENT_P50 else "p99"
            return f"{which} is between {value.lower:.2f} and {value.upper:.2f} ms; allowed {bound:g} ms"
        case name if name in (SPEED_UP, SPEED_UP_P99):
            which = "p50" if name == SPEED_UP else "p99"
            return f"the student is {value.lower:.2f} to {value.upper:.2f} × as fast at {which}; required {bound:g} ×"
        case name if name == REDUCTION:
            return f"a request is {value.lower:.2f} to {value.upper:.2f} × cheaper; required {bound:g} ×"
        case name if name == AGREEMENT:
            unit = "row" if claim.units == ROWS else "query"
            return (
                f"student and teacher give the same answer on every {unit}: nothing shows that two models were compared"
            )
        case _:
            return (
                f"{name_of(claim)} is between {_signed(value.lower)} and {_signed(value.upper)}; "
                f"allowed {_signed(bound)}"
            )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(number: float) -> str:
    return f"{number:+.3g}".replace("-", "−")
