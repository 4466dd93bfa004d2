"""The smallest of several students that may replace the teacher, with one error for all of them together.

Asking k students and taking one that passes is k chances of a false GO. The students are ordered by size, which is
known before any of them is judged, and are asked in that order, from the largest, whether they are good enough; the
first that is not shown to be ends it, and what comes after it names nobody. Each can then be asked at the full error
(fixed-sequence testing: Maurer, Hothorn, Lehmacher 1995; Westfall, Krishen 2001, Journal of Statistical Planning and
Inference 99, 25–40): a student that is not good enough is named only where the first such in the sequence passes.

"Good enough" is about answers alone. What is asked of latency and cost favours small students, and would stop the
sequence at its start; it is asked of the one student that the sequence ends at, whose latency does not depend on
which answers it got right. A false name then has one of two causes, and each gets half of the error (where something
of latency or cost was measured at all).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.check import CheckOutcome
from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99, STUDENT_P50, STUDENT_P99
from evalkit.decision.verdict import Outcome, Verdict
from evalkit.spec.gate import GateSpec

PERFORMANCE = (STUDENT_P50, STUDENT_P99, SPEED_UP, SPEED_UP_P99, REDUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One student of the ladder as it was judged. ``is_good`` is about its answers alone; ``why`` is the claim that
    decided, or what is not shown of its answers."""

    name: str
    is_good: bool
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Who is named and why; ``name`` is None where nobody is, and ``reason`` then says what is missing."""

    name: str | None
    reason: str


def judged(name: str, verdict: Verdict) -> Judged:
    """What the sequence needs to know of a student: it is good where every claim that decides and is not about latency
    or cost was shown, and there is one."""
    asked = [each for each in verdict.checks if each.decides and each.requirement.measurement not in PERFORMANCE]
    missing = [each for each in asked if each.outcome is not CheckOutcome.PASSED]
    told = max(missing, key=lambda each: each.tested_use_of_margin) if missing else verdict.deciding
    return Judged(
        name=name,
        is_good=bool(asked) and not missing,
        outcome=verdict.outcome,
        why="nothing was required" if told is None else told.explanation,
    )


def confidence_of_each(spec: GateSpec) -> float:
    """The one-sided confidence at which each student's claims are tested: half of the error for answers and half for
    latency and cost where something of these is measured and required. Planned looks correct for the students already.

    >>> from evalkit.spec.loading import parse_spec
    >>> text = "{task: {name: a, labels: [x, y]}, data: {held_out: h.csv}, teacher: {load: t}, student: {load: s}, %s}"
    >>> [confidence_of_each(parse_spec(text % more, "gate.yaml")) for more in (
    ...     "requirements: {cost_reduction: null}",
    ...     "requirements: {cost_reduction: null, latency: {p99_ms: 20}}, load: {rate_rps: 20}",
    ...     "requirements: {cost_reduction: null, looks: {planned: 4}, latency: {p99_ms: 20}}, load: {rate_rps: 20}",
    ... )]
    [0.95, 0.975, 0.95]
    """
    bar = spec.requirements
    if bar.looks is not None or not _measures_performance(spec):
        return bar.confidence
    return 1.0 - (1.0 - bar.confidence) / 2.0


def _measures_performance(spec: GateSpec) -> bool:
    bar = spec.requirements
    required = (bar.latency.p50_ms, bar.latency.p99_ms, bar.speed_up, bar.speed_up_p99, bar.cost_reduction)
    by_token = spec.cost is not None and any(
        price.tokens is not None for price in (spec.cost.teacher, spec.cost.student)
    )
    return any(each is not None for each in required) and (spec.load is not None or by_token)


def smallest_in_sequence(largest_first: Sequence[Judged]) -> Named:
    """The student at which the sequence ends, where its whole verdict is GO.

    >>> go, no = ("GO", Outcome.GO), ("NO-GO", Outcome.NO_GO)
    >>> def judged(name, good, outcome):
    ...     return Judged(name=name, is_good=good, outcome=outcome[1], why="-")
    >>> ladder = [judged("large", True, no), judged("mini", True, go), judged("tiny", False, no)]
    >>> smallest_in_sequence(ladder).name  # large is good enough and too dear: it does not stop the sequence
    'mini'
    >>> smallest_in_sequence([judged("large", False, no), judged("mini", True, go)]).name is None
    True
    """
    good = _leading(largest_first)
    stopped = largest_first[len(good)] if len(good) < len(largest_first) else None
    after = "" if stopped is None else f"; the next smaller one, {stopped.name}, is not: {stopped.why}"
    if not good:
        assert stopped is not None
        return Named(
            name=None,
            reason=f"the sequence ends at its first student: {stopped.name} is not shown to be good enough "
            f"({stopped.why})" + _alone(largest_first[1:]),
        )
    last = good[-1]
    if last.outcome is not Outcome.GO:
        return Named(
            name=None,
            reason=f"{last.name} is the smallest that is shown to be good enough, and its verdict is "
            f"{last.outcome.value}: {last.why}" + _alone(largest_first),
        )
    larger = "" if len(good) == 1 else ", as is every larger one"
    return Named(name=last.name, reason=f"GO: it is good enough{larger}, asked from the largest{after}")


def smallest_of_planned(largest_first: Sequence[Judged]) -> Named:
    """The smallest GO, where the planned looks have corrected each verdict for all of them."""
    passed = [each for each in largest_first if each.outcome is Outcome.GO]
    if not passed:
        return Named(name=None, reason="no student's verdict is GO")
    return Named(name=passed[-1].name, reason="GO, each student being one of the planned looks")


def together(judged: Sequence[Judged], named: Named) -> Outcome:
    """GO where somebody is named; NO-GO where each is shown to be unfit, so that a ladder with a fit rung is NO-GO no
    more often than that rung is; INCONCLUSIVE otherwise."""
    if named.name is not None:
        return Outcome.GO
    return Outcome.NO_GO if all(each.outcome is Outcome.NO_GO for each in judged) else Outcome.INCONCLUSIVE


def _leading(largest_first: Sequence[Judged]) -> list[Judged]:
    leading = []
    for each in largest_first:
        if not each.is_good:
            break
        leading.append(each)
    return leading


def _alone(others: Sequence[Judged]) -> str:
    """Those whose own verdict is GO and that the sequence did not reach or end at."""
    passed = [each.name for each in others if each.outcome is Outcome.GO]
    if not passed:
        return ""
    return (
        f". {', '.join(passed)} would be GO if it had been asked alone, and cannot be named after the others: ask it "
        "on new held-out rows"
    )
