"""Each check as a reader meets it: what was required, what was measured, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.check import Check, CheckOutcome
from evalkit.decision.identity import AGREEMENT
from evalkit.decision.requirement import UNSPENT_ERROR, Requirement
from evalkit.decision.wording import REMEDY_IF_RIGHT
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS
from reports import numbers
from reports.naming import bound_text, claim_name, estimate_text, where
from reports.states import CHECKS, State
from reports.words import one_line, sentence

RANKS = (CheckOutcome.FAILED, CheckOutcome.OPEN, CheckOutcome.PASSED, CheckOutcome.MERGED)
NOTHING_MEASURED = "no measurement was made"
REMEDIES = {
    AGREEMENT: "Compare two models: give a student that is not the teacher.",
    UNSPENT_ERROR: "New rows must be held out: these have been used up.",
}
"""What settles a claim that no further evidence of the same kind would."""


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
    """Failed, then open, then passed, then merged; in each those that decide first, and the most used margin first."""
    return sorted(
        checks,
        key=lambda check: (
            RANKS.index(check.outcome),
            not check.requirement.required,
            -check.tested_use_of_margin,
        ),
    )


def gap_claims(record: RunRecord) -> dict[str, Check]:
    """The claim about the accuracy gap of all rows and of every declared group that has one; the worse of two, where
    the metric accuracy has a bar of its own."""
    places = {ALL_ROWS, *(line.name for line in record.groups)}
    found: dict[str, Check] = {}
    for check in worst_first(record.verdict.checks):
        if check.requirement.measurement == GAP and check.requirement.subpopulation in places:
            found.setdefault(check.requirement.subpopulation, check)
    return found


def other_claims(record: RunRecord) -> tuple[ClaimView, ...]:
    """The claims that the table of subpopulations does not hold, and that about the gap over all rows, which it
    holds too; in the spec's order."""
    elsewhere = {id(check) for where, check in gap_claims(record).items() if where != ALL_ROWS}
    return tuple(claim_view(check) for check in record.verdict.checks if id(check) not in elsewhere)


def claim_view(check: Check) -> ClaimView:
    """A check in words."""
    claim = check.requirement
    return ClaimView(
        state=CHECKS[check.outcome],
        what=claim_name(claim),
        measured=estimate_text_of(check),
        required=bound_text(claim),
        share_of_margin=share_of_margin(check),
        note=" ".join([*notes(check), *_shortness(check)]),
    )


def estimate_text_of(check: Check) -> str:
    """What was measured, or why nothing was."""
    if check.measurement is None:
        return f"not measured: {NOTHING_MEASURED}"
    return estimate_text(check.requirement.measurement, check.measurement.value, check.measurement.unit)


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
    if check.unusable is not None:
        return one_line(check.unusable)
    if isinstance(value, Interval):
        return "the bar leaves no margin to use" if value.lower > 0 else "the measurement's lower end is not above 0"
    return one_line(value.reason)


def notes(check: Check) -> list[str]:
    """What would settle an open claim, and what decides nothing or can only fail."""
    said = []
    if check.outcome is CheckOutcome.OPEN:
        if is_beyond_alone(check):
            said.append("Beyond the bar alone, but not once all claims are counted (Holm).")
        said.append(what_would_settle(check))
    if check.requirement.merged_into is not None:
        said.append(_merged(check.requirement, check.requirement.merged_into, check.outcome))
    elif not check.requirement.required:
        said.append("Watched only: decides nothing.")
    return said


def _merged(claim: Requirement, parent: str, outcome: CheckOutcome) -> str:
    judged = f"Judged within {where(parent, claim.units)}"
    if outcome is CheckOutcome.FAILED:
        return f"{judged}, but shown to be broken by itself."
    return f"{judged}; by itself it could only fail."


def _shortness(check: Check) -> Sequence[str]:
    """Why a claim is open that its interval alone would let pass."""
    short = check.requirement.rows_short
    if not short or check.outcome is not CheckOutcome.OPEN:
        return ()
    return (f"Its group has {numbers.count(short)} {check.requirement.units} fewer than minimum_rows.",)


def is_beyond_alone(check: Check) -> bool:
    """Whether the whole interval lies beyond the bar although the claim is not shown broken."""
    name = check.requirement.measurement
    if check.outcome is not CheckOutcome.OPEN or name != as_counted(name):
        return False
    return check.use_of_margin is not None and check.use_of_margin.lower > 1


def is_void(value: Estimate | None) -> bool:
    """Whether the load generator, and not the model, decided what would have been measured."""
    return isinstance(value, NotEstimable) and value.reason.startswith("void")


def what_would_settle(check: Check) -> str:
    """How much more evidence an open claim needs, or what else would settle it."""
    if check.requirement.measurement in REMEDIES:
        return REMEDIES[check.requirement.measurement]
    value, name = value_of(check), check.requirement.measurement
    if name != as_counted(name) and check.further_needed is None:
        return sentence(REMEDY_IF_RIGHT)
    if check.unusable is not None:
        return _when_unusable(check)
    if check.further_needed is not None:
        more = f"About {numbers.count(check.further_needed)} more {check.counted_in}"
        if isinstance(value, Interval):
            return f"{more} would decide it."
        return f"{more} are needed before anything can be estimated."
    if is_void(value):
        return "It must be measured again: a void measurement counts for nothing."
    if isinstance(value, Interval):
        return f"No feasible number of further {check.counted_in} would decide it: the estimate lies too near the bar."
    return "How much more is needed is not known before it is measured."


def _when_unusable(check: Check) -> str:
    """What was estimated shows nothing: at too low a confidence, or as no estimate can be."""
    if check.use_of_margin is not None and check.use_of_margin.upper < 1:
        return (
            "The interval lies inside the bar, but at a lower confidence than the claim asks for: it must be "
            "estimated again at that confidence."
        )
    return f"It must be estimated again: {one_line(check.unusable or '')}."
