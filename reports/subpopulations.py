"""The subpopulation table: every group that the spec names, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.data.subpopulations import Infeasible
from evalkit.decision.check import Check
from evalkit.decision.verdict import Verdict
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from reports import numbers
from reports.claims import estimate_text_of, notes, share_of_margin, worst_first
from reports.naming import where
from reports.states import CHECKS, State
from reports.words import one_line

NOT_RECORDED = "not recorded"
Named = Mapping[tuple[str, str], Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """One row of the table; all rows stand first, apart from the order."""

    state: State
    name: str
    is_all_rows: bool
    rows: str
    teacher: str
    student: str
    gap: str
    allowed: str
    share_of_margin: str
    note: str


def group_views(record: RunRecord) -> tuple[GroupView, ...]:
    """All rows, then every subpopulation, failed before open before passed."""
    gaps = [check for check in record.verdict.checks if check.requirement.measurement == GAP]
    overall = [check for check in gaps if check.requirement.subpopulation == ALL_ROWS]
    named = [check for check in gaps if check.requirement.subpopulation != ALL_ROWS]
    by_name = {(each.name, each.subpopulation): each for each in record.measurements}
    rows = {each["name"]: each["n"] for each in record.data.get("groups", ())}
    rows[ALL_ROWS] = record.data.get("held_out_rows")
    too_small = {each.name: each for each in record.too_small}
    return tuple(_view(check, by_name, rows, too_small) for check in (*overall, *worst_first(named)))


def group_tally(verdict: Verdict) -> str:
    """How many groups stand where.

    The words are those of the outcomes: "16 groups: 1 failed, 3 open, 12 passed".
    """
    groups = [
        check
        for check in verdict.checks
        if check.requirement.measurement == GAP and check.requirement.subpopulation != ALL_ROWS
    ]
    if not groups:
        return "The spec names no subpopulation: harm to a part of the users would not be seen."
    counted = [
        f"{sum(check.outcome.value == word for check in groups)} {word}" for word in ("failed", "open", "passed")
    ]
    return f"{len(groups)} groups: {', '.join(counted)}."


def _view(
    check: Check, by_name: Named, rows: Mapping[str, int | None], too_small: Mapping[str, Infeasible]
) -> GroupView:
    name = check.requirement.subpopulation
    return GroupView(
        state=CHECKS[check.outcome],
        name=where(name),
        is_all_rows=name == ALL_ROWS,
        rows=_rows(check, rows.get(name)),
        teacher=_accuracy(by_name.get(("teacher_accuracy", name))),
        student=_accuracy(by_name.get(("student_accuracy", name))),
        gap=estimate_text_of(check).removesuffix(" points"),
        allowed=numbers.stated_points(check.requirement.bound),
        share_of_margin=share_of_margin(check),
        note=" ".join([*_smallness(too_small.get(name)), *notes(check)]),
    )


def _rows(check: Check, rows: int | None) -> str:
    """The rows of the group and, where clusters make them count for fewer, for how many."""
    value = None if check.measurement is None else check.measurement.value
    if rows is None:
        return NOT_RECORDED if value is None else numbers.count(value.n)
    if isinstance(value, Interval) and value.n != rows:
        return f"{numbers.count(rows)} (count as {numbers.count(value.n)})"
    return numbers.count(rows)


def _accuracy(measured: Measurement | None) -> str:
    if measured is None:
        return NOT_RECORDED
    value = measured.value
    return numbers.percent(value.point) if isinstance(value, Interval) else f"not measured: {one_line(value.reason)}"


def _smallness(found: Infeasible | None) -> list[str]:
    if found is None:
        return []
    return [
        (
            f"Too small ever to pass at this margin: has {numbers.count(found.n)} rows, "
            f"needs {numbers.count(found.rows_needed)}."
        )
    ]
