"""How often the held-out set was asked before: every kind of ledger."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.decision.outcome import Outcome
from evalkit.decision.requirement import UNSPENT_ERROR, Direction, Requirement
from evalkit.record.looks import LooksReport, confidence_of
from evalkit.record.looks_ledger import PastLook, Plan, Question
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.spending import Spending

GO, NO_GO, INCONCLUSIVE = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE


def first_look(confidence: float = 0.95) -> LooksReport:
    """Nobody has asked these rows anything before."""
    return looks_of((), confidence=confidence)


def unplanned() -> LooksReport:
    """Three verdicts and a run that was killed, and no plan."""
    return looks_of(((NO_GO,), (NO_GO, INCONCLUSIVE), (), (GO,)))


def second_of_three() -> LooksReport:
    """One verdict before, as was planned."""
    return looks_of(((NO_GO,),), planned=3)


def used_up() -> LooksReport:
    """Two looks were planned, and this is the third."""
    return looks_of(((NO_GO,), (INCONCLUSIVE,)), planned=2)


def looks_of(
    outcomes: Sequence[tuple[Outcome, ...]],
    *,
    planned: int | None = None,
    spending: Spending = "pocock",
    confidence: float = 0.95,
) -> LooksReport:
    """The look after those that came to ``outcomes``, at the confidence that it is granted."""
    plan = None if planned is None else Plan(planned=planned, spending=spending, confidence=confidence)
    number = len(outcomes) + 1
    return LooksReport(
        number=number,
        planned=planned,
        spending=None if plan is None else plan.spending,
        asked_confidence=confidence,
        confidence=confidence_of(number, confidence, plan),
        earlier=tuple(
            PastLook(
                number=each,
                question=Question(held_out="b1" * 32, spec="3f" * 32, teacher="7a1c09be44d2", student=f"{each:012d}"),
                run=f"run-{each}",
                opened_at=f"2025-02-0{each}T08:00:00Z",
                plan=plan,
                outcomes=given,
            )
            for each, given in enumerate(outcomes, start=1)
        ),
    )


def exhausted(looks: LooksReport) -> tuple[tuple[Requirement, ...], tuple[Measurement, ...]]:
    """The claim that nothing can show once every planned look is used, as the gate makes it."""
    if looks.confidence is not None:
        return (), ()
    reason = f"this is look {looks.number} at a held-out set that was planned for {looks.planned}; hold out new rows"
    claim = Requirement(measurement=UNSPENT_ERROR, subpopulation=ALL_ROWS, bound=0.0, direction=Direction.ABOVE)
    nothing = Measurement(
        name=UNSPENT_ERROR,
        subpopulation=ALL_ROWS,
        unit="share",
        value=NotEstimable(reason=reason, n=0),
        evidence="looks.jsonl",
    )
    return (claim,), (nothing,)
