"""The subpopulation table: all rows and every group that the spec names, judged, merged or not, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.data.subpopulations import Infeasible
from evalkit.decision.check import Check
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import GroupLine, RunRecord
from evalkit.stats.interval import Interval
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.measurement import ALL_ROWS, Measurement
from reports import numbers
from reports.claims import estimate_text_of, gap_claims, notes, share_of_margin
from reports.naming import estimate_text, units_of, where
from reports.states import CHECKS, ELSEWHERE, FAILED, MERGED, NOT_JUDGED, OPEN, PASSED, State
from reports.words import one_line

NOT_RECORDED = "not recorded"
NO_MARGIN = "no margin"
COUNTED = {
    FAILED: "failed",
    OPEN: "open",
    PASSED: "passed",
    MERGED: "merged",
    ELSEWHERE: "judged by other claims only",
    NOT_JUDGED: "not judged",
}
NOBODY_NAMED = "The spec names no subpopulation: harm to a part of the users is seen only where the search finds it."
NOTHING_SEEN = "The spec names no subpopulation and searches for none: harm to a part of the users would not be seen."


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """One row of the table; all rows stand first, apart from the order. ``equality`` is the p-value of the test that
    both models are equally often right."""

    state: State
    name: str
    is_all_rows: bool
    rows: str
    teacher: str
    student: str
    gap: str
    allowed: str
    share_of_margin: str
    equality: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """What the table is made of: a line for all rows and for every group, and what was measured and claimed there.
    ``claims`` are about the accuracy gap, the worst first; ``others`` counts those about anything else."""

    all_rows: GroupLine
    groups: Mapping[str, GroupLine]
    measured: Mapping[tuple[str, str], Measurement]
    claims: Mapping[str, Check]
    others: Mapping[str, int]
    too_small: Mapping[str, Infeasible]
    units: str


def group_views(record: RunRecord) -> tuple[GroupView, ...]:
    """All rows, then every declared subpopulation once: failed before open before passed before merged before those
    without a claim about their accuracy. None is left out."""
    table = _table_of(record)
    judged = [table.groups[name] for name in table.claims if name in table.groups]
    others = [line for name, line in table.groups.items() if name not in table.claims]
    return tuple(_view(line, table) for line in (table.all_rows, *judged, *others))


def group_tally(record: RunRecord) -> str:
    """How many groups stand where: "16 groups: 1 failed, 3 open, 12 passed."."""
    if not record.groups:
        return NOTHING_SEEN if record.discovery is None else NOBODY_NAMED
    table = _table_of(record)
    states = Counter(_state(line, table) for line in record.groups)
    counted = [f"{numbers.count(states[state])} {word}" for state, word in COUNTED.items() if states[state]]
    own = [line for line in record.groups if line.name in table.claims and line.merged_into is None]
    watched = sum(not line.required for line in own)
    said = f"{numbers.counted(len(record.groups), 'group')}: {', '.join(counted)}."
    return f"{said} {numbers.count(watched)} of them only watched." if watched else said


def _table_of(record: RunRecord) -> _Table:
    groups = {line.name: line for line in record.groups}
    gaps = gap_claims(record)
    others = Counter(
        check.requirement.subpopulation for check in record.verdict.checks if check.requirement.measurement != GAP
    )
    measured = {(each.name, each.subpopulation): each for each in record.measurements}
    return _Table(
        all_rows=_line_of_all_rows(record, gaps.get(ALL_ROWS), measured.get((GAP, ALL_ROWS))),
        groups=groups,
        measured=measured,
        claims=gaps,
        others=others,
        too_small={each.name: each for each in record.too_small},
        units=units_of(record),
    )


def _line_of_all_rows(record: RunRecord, claim: Check | None, gap: Measurement | None) -> GroupLine:
    return GroupLine(
        name=ALL_ROWS,
        n=record.data.get("units", record.data["held_out_rows"]),
        margin=None if claim is None else -claim.requirement.bound,
        required=claim is not None and claim.requirement.required,
        merged_into=None,
        equality_p=None if gap is None or gap.counts is None else mid_p(gap.counts),
    )


def _view(line: GroupLine, table: _Table) -> GroupView:
    claim, gap = table.claims.get(line.name), table.measured.get((GAP, line.name))
    state = _state(line, table)
    return GroupView(
        state=state,
        name=where(line.name, table.units),
        is_all_rows=line is table.all_rows,
        rows=_rows(line, gap),
        teacher=_accuracy(table.measured.get(("teacher_accuracy", line.name))),
        student=_accuracy(table.measured.get(("student_accuracy", line.name))),
        gap=_gap(claim, gap).removesuffix(" points"),
        allowed=NO_MARGIN if line.margin is None else numbers.stated_points(-line.margin),
        share_of_margin=state.word if claim is None else share_of_margin(claim),
        equality=NOT_RECORDED if line.equality_p is None else numbers.probability(line.equality_p),
        note=" ".join(
            [
                *_smallness(table.too_small.get(line.name), table.units),
                *(_without_claim(line, table) if claim is None else notes(claim)),
            ]
        ),
    )


def _state(line: GroupLine, table: _Table) -> State:
    claim = table.claims.get(line.name)
    if claim is not None:
        return CHECKS[claim.outcome]
    if line.merged_into is not None:
        return MERGED
    return ELSEWHERE if table.others.get(line.name) else NOT_JUDGED


def _without_claim(line: GroupLine, table: _Table) -> Sequence[str]:
    if line.merged_into is not None:
        return (f"Judged within {where(line.merged_into, table.units)}.",)
    if not table.others.get(line.name):
        return ("Nothing is asked of it.",)
    return ("No accuracy gap is asked of it; what is asked stands among the claims above.",)


def _gap(claim: Check | None, gap: Measurement | None) -> str:
    if claim is not None:
        return estimate_text_of(claim)
    return NOT_RECORDED if gap is None else estimate_text(GAP, gap.value)


def _rows(line: GroupLine, gap: Measurement | None) -> str:
    """The rows of the group and, where clusters make them count for fewer, for how many."""
    if gap is not None and isinstance(gap.value, Interval) and gap.value.n != line.n:
        return f"{numbers.count(line.n)} (count as {numbers.count(gap.value.n)})"
    return numbers.count(line.n)


def _accuracy(measured: Measurement | None) -> str:
    if measured is None:
        return NOT_RECORDED
    value = measured.value
    return numbers.percent(value.point) if isinstance(value, Interval) else f"not measured: {one_line(value.reason)}"


def _smallness(found: Infeasible | None, units: str) -> Sequence[str]:
    if found is None:
        return ()
    why = "Too small ever to pass at this margin" if found.reason == "margin" else "Smaller than minimum_rows"
    return (f"{why}: has {numbers.count(found.n)} {units}, needs {numbers.count(found.rows_needed)}.",)
