"""Each check as a reader meets it: what was required, what was measured, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.check import Check, CheckOutcome
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS
from reports import numbers
from reports.naming import bound_text, claim_name, estimate_text
from reports.states import CHECKS, State
from reports.words import one_line, sentence

RANKS = (CheckOutcome.FAILED, CheckOutcome.OPEN, CheckOutcome.PASSED)
NOTHING_MEASURED = "no measurement was made"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """One row of the table of claims."""

    state: State
    what: str
    measured: str
    required: str
    share_of_margin: str
    note: str


def worst_first(checks: Sequence[Check]) -> list[Check]:
    """Failed, then open, then passed; in each those that decide first, and the most used margin first."""
    return sorted(
        checks,
        key=lambda check: (
            RANKS.index(check.outcome),
            not check.requirement.required,
            -check.tested_use_of_margin,
        ),
    )


def overall_claims(checks: Sequence[Check]) -> tuple[ClaimView, ...]:
    """The claims that are not about one subpopulation, in the spec's order."""
    return tuple(claim_view(check) for check in checks if check.requirement.subpopulation == ALL_ROWS)


def claim_view(check: Check) -> ClaimView:
    """A check in words."""
    claim = check.requirement
    return ClaimView(
        state=CHECKS[check.outcome],
        what=claim_name(claim),
        measured=estimate_text_of(check),
        required=bound_text(claim),
        share_of_margin=share_of_margin(check),
        note=" ".join(notes(check)),
    )


def estimate_text_of(check: Check) -> str:
    """What was measured, or why nothing was."""
    value = value_of(check)
    return f"not measured: {NOTHING_MEASURED}" if value is None else estimate_text(check.requirement.measurement, value)


def explanation(check: Check) -> str:
    """The check's explanation as a sentence; that of a missing measurement under the name readers know."""
    if isinstance(value_of(check), Interval):
        return sentence(one_line(check.explanation))
    return sentence(f"{claim_name(check.requirement)}: {estimate_text_of(check)}")


def value_of(check: Check) -> Estimate | None:
    """The estimate behind a check, if any."""
    return None if check.measurement is None else check.measurement.value


def share_of_margin(check: Check) -> str:
    """How much of the margin is used: the point, and the ends of the interval."""
    use = check.use_of_margin
    if use is None:
        measured = isinstance(value_of(check), Interval)
        return f"not known: {reason_without_share(check)}" if measured else "not known"
    point, lower, upper = (numbers.ratio(each) for each in (use.point, use.lower, use.upper))
    return point if use.lower == use.upper else f"{point} ({lower} to {upper})"


def reason_without_share(check: Check) -> str:
    """Why a check cannot be drawn."""
    value = value_of(check)
    if value is None:
        return NOTHING_MEASURED
    if isinstance(value, Interval):
        return "the bar leaves no margin to use" if value.lower > 0 else "the measurement's lower end is not above 0"
    return one_line(value.reason)


def notes(check: Check) -> list[str]:
    """What would settle an open claim, and what does not decide."""
    said = []
    if check.outcome is CheckOutcome.OPEN:
        if is_beyond_alone(check):
            said.append("Beyond the bar when tested alone, not once corrected for the number of claims (Holm).")
        said.append(what_would_settle(check))
    if not check.requirement.required:
        said.append("Watched only: decides nothing.")
    return said


def is_beyond_alone(check: Check) -> bool:
    """Whether the whole interval lies beyond the bar although the claim is not shown broken."""
    return check.outcome is CheckOutcome.OPEN and check.use_of_margin is not None and check.use_of_margin.lower > 1


def is_void(value: Estimate | None) -> bool:
    """Whether the load generator, and not the model, decided what would have been measured."""
    return isinstance(value, NotEstimable) and value.reason.startswith("void")


def what_would_settle(check: Check) -> str:
    """How much more evidence an open claim needs."""
    if check.use_of_margin is not None and check.use_of_margin.upper < 1:
        return (
            "The interval lies inside the bar, but at a lower confidence than the claim asks for: it must be "
            "estimated again at that confidence."
        )
    if check.further_needed is not None:
        more = f"About {numbers.count(check.further_needed)} more {check.counted_in}"
        if isinstance(value_of(check), Interval):
            return f"{more} would decide with 80 % chance, if what was observed is true."
        return f"{more} are needed before anything can be estimated."
    if is_void(value_of(check)):
        return "It must be measured again: a void measurement counts for nothing."
    if isinstance(value_of(check), Interval):
        return f"No feasible number of further {check.counted_in} would decide it: the estimate lies too near the bar."
    return "How much more is needed is not known before it is measured."
