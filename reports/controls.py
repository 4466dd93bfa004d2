"""What distilling gained: the student beside its controls, and in one sentence what that means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalkit.decision.against_controls import advice, as_good_as_the_student, standing
from evalkit.quality.controls import Budget, ControlLine, ControlsReport
from evalkit.record.run_record import RunRecord
from evalkit.stats.distillation_gain import ENOUGH_SEEDS, Gained
from evalkit.stats.interval import Estimate, Interval
from reports import numbers
from reports.line import NOT_MEASURED
from reports.naming import with_interval
from reports.states import ELSEWHERE, State
from reports.states import NOT_MEASURED as UNMEASURED
from reports.words import one_line, sentence

STATES = {
    Gained.SHOWN: State("●", "gain shown", "passed"),
    Gained.AS_GOOD: State("▲", "as good", "noted"),
    Gained.BEHIND: State("▲", "better", "noted"),
    Gained.OPEN: State("◇", "not shown", "open"),
    Gained.NOT_MEASURED: UNMEASURED,
}
NOTHING = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """One model, ready to be placed; the student first."""

    state: State
    what: str
    accuracy: str
    gain: str
    trainings: str
    budget: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsView:
    """``meaning`` is one plain sentence, ``said`` what the intervals are over."""

    meaning: str
    said: str
    rows: tuple[ControlRow, ...]


def controls_view(record: RunRecord) -> ControlsView | None:
    """None where the spec asks for no control."""
    report = record.controls
    if report is None:
        return None
    return ControlsView(
        meaning=sentence(one_line(_meaning(report))),
        said=_said(report),
        rows=(_row(report.student, ELSEWHERE, NOTHING), *(_control(report, each) for each in report.controls)),
    )


def _meaning(report: ControlsReport) -> str:
    found = advice(report)
    measured = [line for line in report.controls if isinstance(line.gain, Interval)]
    if found is None and not measured:
        return "What the student has over its controls could not be measured"
    if found is None:
        others = "the control" if len(measured) == 1 else f"each of the {len(measured)} controls"
        unmeasured = len(report.controls) - len(measured)
        besides = f"; {unmeasured} could not be measured" if unmeasured else ""
        return f"The student is shown to be better than {others}: distilling gained something{besides}"
    if found.do_not_distil:
        return f"Nothing speaks for distilling: {_as_good(report)} as good as the student or better"
    return f"Whether distilling gained anything is open: {found.text}"


def _as_good(report: ControlsReport) -> str:
    first, *others = as_good_as_the_student(report)
    if not others:
        return f"{first.what} is"
    more = "another control" if len(others) == 1 else f"{len(others)} other controls"
    return f"{first.what} and {more} are"


def _said(report: ControlsReport) -> str:
    level = numbers.confidence(report.level)
    over = (
        f"over rows and {report.seeds} seeds: another seed gives another model"
        if report.seeds >= ENOUGH_SEEDS
        else "over rows alone: they are of these very trainings, and other seeds may differ"
    )
    return (
        "A gain is the student's accuracy less the control's on the same rows. The intervals of all gains hold "
        f"together at {level}, {over}. A control is as good where a gain of "
        f"{numbers.points(report.worth)} points or more is excluded."
    )


def _control(report: ControlsReport, line: ControlLine) -> ControlRow:
    assert line.gain is not None
    return _row(line, STATES[standing(report, line)], _text(line.gain, numbers.points, "points"))


def _row(line: ControlLine, state: State, gain: str) -> ControlRow:
    what = "the student" if line.gain is None else line.what
    return ControlRow(
        state=state,
        what=one_line(what) + (f" ({one_line(line.note)})" if line.note else ""),
        accuracy=_text(line.accuracy, lambda share: numbers.percent(share).removesuffix(" %"), "%"),
        gain=gain,
        trainings=numbers.count(line.trainings),
        budget=_budget(line.budget),
    )


def _budget(budget: Budget) -> str:
    parts = (
        "" if budget.rows is None else numbers.counted(budget.rows, "row"),
        "" if budget.steps is None else numbers.counted(budget.steps, "step"),
        "" if budget.seconds is None else numbers.duration(budget.seconds),
    )
    return ", ".join(part for part in parts if part) or "not trained here"


def _text(value: Estimate, write: Callable[[float], str], unit: str) -> str:
    if not isinstance(value, Interval):
        return f"{NOT_MEASURED}: {one_line(value.reason)}"
    return f"{with_interval(value, write)} {unit}"
