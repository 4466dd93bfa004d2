"""The cascade of student and teacher: a line a threshold, and the one that would be taken."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.cascade.cascade import Cascade, CascadeLine
from evalkit.cost.per_request import REDUCTION
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Estimate, Interval
from reports import numbers
from reports.claims import is_void
from reports.line import NOT_MEASURED, VOID
from reports.naming import estimate_text, with_interval
from reports.states import BROKEN, HOLDS, NOT_JUDGED, State
from reports.words import one_line, sentence

HOW = (
    "Requests on which the student's top probability is below the threshold go on to the teacher. The thresholds are "
    "judged from the one that sends most on, each by every required claim about quality at the gate's confidence, "
    "until one does not pass; what passed before is shown on all rows together, so that choosing the cheapest does "
    "not flatter it."
)
NONE = "No cascade is offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRow:
    """One threshold, ready to be placed."""

    state: State
    threshold: str
    share: str
    gap: str
    p99: str
    usd_per_million: str
    reduction: str
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeView:
    """What is said of the cascade, and its rows; no rows where no threshold was judged."""

    said: str
    rows: tuple[CascadeRow, ...]


def cascade_view(record: RunRecord) -> CascadeView | None:
    """None where the spec asks for none or it could not be asked for."""
    cascade = record.cascade
    if cascade is None:
        return None
    return CascadeView(said=_said(cascade), rows=tuple(_row(cascade, at) for at in range(len(cascade.lines))))


def _said(cascade: Cascade) -> str:
    if cascade.best is not None:
        return f"{HOW} The cheapest that keeps every bar is {_threshold(cascade.lines[cascade.best])}."
    none = sentence(f"{NONE}: {one_line(cascade.reason or 'no reason is recorded')}")
    return f"{HOW} {none}" if cascade.lines else none


def _row(cascade: Cascade, at: int) -> CascadeRow:
    line = cascade.lines[at]
    state = {True: HOLDS, False: BROKEN, None: NOT_JUDGED}[line.keeps_quality]
    return CascadeRow(
        state=state,
        threshold=_threshold(line) + (" (best)" if at == cascade.best else ""),
        share=_percent(line.share_to_teacher),
        gap=estimate_text(GAP, line.gap),
        p99=_milliseconds(line.p99_ms),
        usd_per_million=NOT_MEASURED if line.usd_per_million is None else numbers.usd(line.usd_per_million),
        reduction=_missing(line.cost_reduction) or estimate_text(REDUCTION, line.cost_reduction),
        is_best=at == cascade.best,
    )


def _threshold(line: CascadeLine) -> str:
    return f"{line.threshold:.4g}"


def _percent(value: Estimate) -> str:
    if not isinstance(value, Interval):
        return _missing(value)
    return f"{with_interval(value, lambda share: numbers.percent(share).removesuffix(' %'))} %"


def _milliseconds(value: Estimate) -> str:
    if not isinstance(value, Interval):
        return _missing(value)
    return f"{with_interval(value, numbers.significant)} ms"


def _missing(value: Estimate) -> str:
    """Why there is no number; empty where there is one."""
    if isinstance(value, Interval):
        return ""
    return VOID if is_void(value) else f"{NOT_MEASURED}: {one_line(value.reason)}"
