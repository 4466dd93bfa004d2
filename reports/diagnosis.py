"""How the student differs from its teacher, what went wrong, and rows to look at."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.diagnosis.finding import Finding
from evalkit.record.run_record import Example, RunRecord
from evalkit.stats.interval import Interval
from reports.naming import estimate_text, quantity, units_of, where
from reports.states import FIRED, NOT_MEASURED, QUIET, State
from reports.words import one_line, sentence

FIDELITY = ("agreement", "negative_flip_rate", "positive_flip_rate", "teacher_student_kl")


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityLine:
    """One way in which the student follows its teacher."""

    what: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A failure mode: fired or not, and what to do where it fired."""

    state: State
    failure_mode: str
    explanation: str
    practice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """A row that the teacher gets right and the student wrong."""

    row_id: str
    text: str
    label: str
    teacher: str
    student: str
    where: str


def fidelity(record: RunRecord) -> tuple[FidelityLine, ...]:
    """Agreement, flips and divergence, each with its interval."""
    named = {each.name: each for each in record.measurements}
    return tuple(
        FidelityLine(
            what=quantity(name).label,
            value=estimate_text(name, named[name].value) if name in named else "not measured",
        )
        for name in FIDELITY
    )


def findings(record: RunRecord) -> tuple[FindingView, ...]:
    """Every failure mode that was looked for, those that fired first."""
    return tuple(finding_view(each) for each in sorted(record.findings, key=lambda each: not each.fired))


def examples(record: RunRecord) -> tuple[ExampleView, ...]:
    """The recorded rows that the student lost."""
    return tuple(_example(each, units_of(record)) for each in record.examples)


def finding_view(found: Finding) -> FindingView:
    """One failure mode as it is read."""
    measured = isinstance(found.measurement.value, Interval)
    state = FIRED if found.fired else QUIET if measured else NOT_MEASURED
    return FindingView(
        state=state,
        failure_mode=sentence(found.failure_mode.value).removesuffix("."),
        explanation=sentence(one_line(found.explanation)) + _rows_to_look_at(found),
        practice=sentence(one_line(found.corrective_practice)) if found.fired else "nothing to correct",
    )


def _rows_to_look_at(found: Finding) -> str:
    return f" To look at: {'; '.join(one_line(each) for each in found.examples)}." if found.examples else ""


def _example(row: Example, units: str) -> ExampleView:
    return ExampleView(
        row_id=one_line(row.row_id),
        text=one_line(row.text),
        label=one_line(row.label),
        teacher=one_line(row.teacher),
        student=one_line(row.student),
        where=where(row.subpopulation, units),
    )
