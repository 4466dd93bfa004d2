"""Each claim and its evidence in one sentence."""

from __future__ import annotations

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99, Requirement
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement


def describe(claim: Requirement, measured: Measurement | None) -> str:
    """What was required and what was measured, in the unit a reader thinks in."""
    where = "over all rows" if claim.subpopulation == ALL_ROWS else f"on {claim.subpopulation}"
    if measured is None:
        return f"{claim.measurement} {where} was not measured"
    if not isinstance(measured.value, Interval):
        return f"{claim.measurement} {where} could not be measured: {measured.value.reason}"
    value, bound = measured.value, claim.bound
    match claim.measurement:
        case name if name == GAP:
            return (
                f"accuracy gap {where} is between {_points(value.lower)} and {_points(value.upper)} points; "
                f"allowed {_points(bound)}"
            )
        case name if name == RETENTION:
            return (
                f"the student keeps {100 * value.lower:.1f} to {100 * value.upper:.1f} % of the teacher's accuracy; "
                f"required {100 * bound:.1f} %"
            )
        case name if name in (STUDENT_P50, STUDENT_P99):
            which = "p50" if name == STUDENT_P50 else "p99"
            return f"{which} is between {value.lower:.2f} and {value.upper:.2f} ms; allowed {bound:g} ms"
        case name if name == SPEED_UP:
            return f"the student is {value.lower:.2f} to {value.upper:.2f} × as fast at p50; required {bound:g} ×"
        case name if name == REDUCTION:
            return f"a request is {value.lower:.2f} to {value.upper:.2f} × cheaper; required {bound:g} ×"
        case name:
            return f"{name} {where} is between {value.lower:.4g} and {value.upper:.4g}; bound {bound:g}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
