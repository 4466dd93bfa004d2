"""Every use of a held-out set, counted in the workspace: the folder that holds the run folders.

A look is one distinct question to one held-out set (spec, teacher and student): the same run again is the same look.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError, SpecError
from evalkit.record.layout import utc_now
from evalkit.record.looks_ledger import LEDGER, Decided, Opened, PastLook, Plan, Question, append, held, past_looks
from evalkit.spec.requirements import Looks
from evalkit.stats.spending import confidence_at


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksReport:
    """What the run record says about the uses of its held-out set.

    ``number`` is this look's, from 1. ``confidence`` is the one-sided confidence that it was decided at, out of the
    ``asked_confidence`` of the spec; None when every planned look is used.
    """

    number: int
    planned: int | None
    spending: str | None
    asked_confidence: float
    confidence: float | None
    earlier: tuple[PastLook, ...]

    @property
    def verdicts_before(self) -> int:
        """How many verdicts this held-out set gave before this look."""
        return sum(1 for look in self.earlier if look.outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An open look. ``confidence`` is None when no error is left to spend: the gate is then INCONCLUSIVE."""

    workspace: Path
    question: Question
    run: str
    number: int
    plan: Plan | None
    asked_confidence: float
    confidence: float | None
    earlier: tuple[PastLook, ...]

    @property
    def planned(self) -> int | None:
        return self.plan.planned if self.plan else None

    @property
    def exhausted(self) -> str | None:
        """Why no verdict may be given, or None where one may."""
        if self.confidence is not None or self.plan is None:
            return None
        return (
            f"this is look {self.number} at a held-out set that was planned for {self.plan.planned}, and no error is "
            "left to spend; hold out new rows"
        )

    def report(self) -> LooksReport:
        return LooksReport(
            number=self.number,
            planned=self.planned,
            spending=self.plan.spending if self.plan else None,
            asked_confidence=self.asked_confidence,
            confidence=self.confidence,
            earlier=self.earlier,
        )


def open_look(workspace: Path, question: Question, run: str, confidence: float, looks: Looks | None) -> Look:
    """Counts this look, durably and before anything is judged, and says at which confidence it may be decided.

    ``run`` is the run folder's name, ``confidence`` the spec's. Safe when several runs open looks at once. Raises
    RunFolderError for a damaged ledger, SpecError where an earlier look was under another plan, or under one where
    ``looks`` states none, or the other way round.
    """
    plan = plan_of(confidence, looks)
    with held(workspace) as file:
        past = past_looks(file, workspace / LEDGER, question.held_out)
        known = [look.number for look in past if look.question == question]
        number = known[0] if known else len(past) + 1
        earlier = past[: number - 1]
        refuse_changed_plan(earlier, plan)
        granted = confidence_of(number, confidence, plan)
        if not known:
            append(file, Opened(question=question, run=run, at=utc_now(), plan=plan))
    return Look(
        workspace=workspace,
        question=question,
        run=run,
        number=number,
        plan=plan,
        asked_confidence=confidence,
        confidence=granted,
        earlier=earlier,
    )


def close_look(look: Look, outcome: Outcome) -> None:
    """Adds the outcome to the ledger, unless it stands there as this look's last one. Raises RunFolderError for a
    damaged ledger."""
    with held(look.workspace) as file:
        past = past_looks(file, look.workspace / LEDGER, look.question.held_out)
        given = [each.outcomes for each in past if each.question == look.question]
        if not given:
            raise RunFolderError(
                f"{look.workspace / LEDGER} no longer has look {look.number}, which this run opened; restore the file"
            )
        if given[0][-1:] != (outcome,):
            append(file, Decided(question=look.question, run=look.run, at=utc_now(), outcome=outcome))


def looks_at(workspace: Path, held_out: str) -> tuple[PastLook, ...]:
    """Every look at a held-out set so far, in order; counts none. Raises RunFolderError for a damaged ledger."""
    if not (workspace / LEDGER).exists():
        return ()
    with held(workspace) as file:
        return past_looks(file, workspace / LEDGER, held_out)


def plan_of(confidence: float, looks: Looks | None) -> Plan | None:
    """requirements.looks with the confidence that all of its looks share."""
    if looks is None:
        return None
    return Plan(planned=looks.planned, spending=looks.spending, confidence=confidence)


def confidence_of(number: int, confidence: float, plan: Plan | None) -> float | None:
    """The confidence that look ``number`` is decided at: the spec's without a plan, None beyond the planned looks."""
    if plan is None:
        return confidence
    return confidence_at(number, plan.planned, plan.confidence, plan.spending)


def refuse_changed_plan(earlier: tuple[PastLook, ...], plan: Plan | None) -> None:
    """Raises SpecError where ``plan`` is not that of every earlier look: its total error would then not be kept.

    A spec that no longer states a plan is refused as one that states another. Where neither states one, looks are
    counted only.
    """
    for look in earlier:
        if look.plan == plan:
            continue
        if look.plan is None:
            raise SpecError(
                f"requirements.looks plans {plan}, but look {look.number} at data.held_out was without a plan and "
                "spent all of the error; hold out new rows, or remove requirements.looks (looks are then counted, not "
                "corrected for)"
            )
        raise SpecError(
            f"requirements.looks {'is not stated' if plan is None else f'plans {plan}'}, but look {look.number} at "
            f"data.held_out (run {look.run}) was under the plan {look.plan}; a plan holds from the first look to the "
            "last: restore it, or hold out new rows"
        )
