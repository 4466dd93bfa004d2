"""The top of the page: the word, one sentence why, the recommendation, and the binding constraint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.check import Check, CheckOutcome
from evalkit.decision.stability import Stability, sentences
from evalkit.decision.verdict import Outcome, Verdict
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Interval
from reports import numbers
from reports.claims import (
    claim_view,
    estimate_text_of,
    explanation,
    value_of,
    what_would_settle,
    worst_first,
)
from reports.naming import bound_text, claim_name
from reports.states import VERDICTS, State
from reports.words import one_line, sentence

MOST_OPEN = 12
ROLE_OF = {
    Outcome.GO: "It passed with the least room of all required claims.",
    Outcome.NO_GO: "It is the worst of the claims that are shown to be broken.",
    Outcome.INCONCLUSIVE: "It is the claim farthest from being shown.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What everybody reads."""

    state: State
    task: str
    description: str
    why: str
    tally: str
    recommendation: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The claim that decided, with its numbers; ``fragility`` is what would have changed the outcome."""

    title: str
    sentences: tuple[str, ...]
    fragility: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def headline(record: RunRecord) -> Headline:
    """The verdict, why, and of what."""
    verdict = record.verdict
    return Headline(
        state=VERDICTS[verdict.outcome],
        task=one_line(str(record.task.get("name", "unnamed task"))),
        description=one_line(str(record.task.get("description", ""))),
        why=_why(record),
        tally=_tally(verdict.checks),
        recommendation=sentence(one_line(verdict.recommendation.text)),
        facts=_facts(record),
    )


def binding(verdict: Verdict) -> Binding:
    """The deciding check; without one, why there is none."""
    check = verdict.deciding
    if check is None:
        return Binding(
            title="none", sentences=("No claim was required, so none could decide.",), fragility=(), facts=()
        )
    said = [ROLE_OF[verdict.outcome]]
    if check.outcome is CheckOutcome.OPEN:
        said.append(what_would_settle(check))
    return Binding(
        title=claim_name(check.requirement),
        sentences=tuple(said),
        fragility=() if verdict.stability is None else _fragility(verdict.stability),
        facts=_binding_facts(check),
    )


def _fragility(stability: Stability) -> tuple[str, ...]:
    """What would have changed the outcome; one reason for both, said once, where nothing would."""
    if stability.no_margin is not None and stability.no_margin == stability.no_rows:
        return (f"No other margin and no other answers of the student: {one_line(stability.no_margin)}.",)
    return tuple(one_line(each) for each in sentences(stability))


def open_claims(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """What each open required claim needs, the first twelve and how many more there are."""
    undecided = [
        check
        for check in worst_first(verdict.checks)
        if check.outcome is CheckOutcome.OPEN and check.requirement.required
    ]
    shown = [(claim_name(check.requirement), _needs(check)) for check in undecided[:MOST_OPEN]]
    if len(undecided) > MOST_OPEN:
        shown.append((f"and {len(undecided) - MOST_OPEN} more", "They stand as open in the tables below."))
    return tuple(shown)


def _needs(check: Check) -> str:
    if not isinstance(value_of(check), Interval):
        return f"{sentence(estimate_text_of(check))} {what_would_settle(check)}"
    return f"{what_would_settle(check)} Measured: {estimate_text_of(check)}, {bound_text(check.requirement)}."


def _why(record: RunRecord) -> str:
    verdict, confidence = record.verdict, confidence_of(record)
    if verdict.deciding is None:
        return "Not shown safe, not shown harmful: nothing was required, so nothing was shown."
    because = explanation(verdict.deciding)
    match verdict.outcome:
        case Outcome.GO:
            return f"Every required claim is shown at {confidence} confidence. The tightest: {because}"
        case Outcome.NO_GO:
            return f"Shown to be harmful at {confidence} confidence. {because}"
        case Outcome.INCONCLUSIVE:
            return f"Not shown safe, not shown harmful. {because}"


def confidence_of(record: RunRecord) -> str:
    """The one-sided confidence that every claim was decided at, in words: this look's share of the planned ones."""
    looks = record.looks
    decided_at = looks.asked_confidence if looks.confidence is None else looks.confidence
    return f"one-sided {numbers.confidence(decided_at)}"


def _tally(checks: Sequence[Check]) -> str:
    required = [check for check in checks if check.requirement.required]
    parts = [
        f"{sum(check.outcome is outcome for check in required)} {outcome.value}"
        for outcome in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.OPEN)
    ]
    merged = [check for check in checks if check.requirement.merged_into is not None]
    broken = sum(check.outcome is CheckOutcome.FAILED for check in merged)
    watched = len(checks) - len(required) - len(merged)
    return "; ".join(
        [
            f"{len(required)} required claims: {', '.join(parts)}",
            *([f"{len(merged)} of merged groups: {broken} failed"] if merged else []),
            *([f"{watched} watched"] if watched else []),
        ]
    )


def _facts(record: RunRecord) -> tuple[tuple[str, str], ...]:
    signature = record.signature
    versions = {model.role: f"{model.version} ({one_line(model.source)})" for model in record.models}
    return (
        ("Decided", numbers.moment(signature.decided_at)),
        ("Student", versions.get("student", "not recorded")),
        ("Teacher", versions.get("teacher", "not recorded")),
        ("Spec", numbers.digest(signature.spec_digest)),
        ("Spec recorded", f"{numbers.moment(signature.spec_recorded_at)}, before anything was evaluated"),
    )


def _binding_facts(check: Check) -> tuple[tuple[str, str], ...]:
    view, value = claim_view(check), value_of(check)
    facts = [
        ("Measured", view.measured),
        ("Required", view.required),
        ("Share of the margin used", view.share_of_margin),
    ]
    if isinstance(value, Interval):
        facts.append(("From", f"{numbers.count(value.n)} {check.counted_in}; {one_line(value.method)}"))
    if check.measurement is not None:
        facts.append(("Evidence", one_line(check.measurement.evidence)))
    return tuple(facts)
