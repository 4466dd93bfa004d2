"""The task's metrics beside accuracy: both models and the paired gap, over all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalkit.decision.requirement import METRIC_GAP, Direction
from evalkit.quality.metrics.catalogue import described
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import GAP
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from reports.naming import plain_for, signed_for, with_interval
from reports.words import one_line

MORE, LESS = "more", "less"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric; ``gap`` is student − teacher, ``better`` says whether more or less of it is, ``method`` how its
    interval was made."""

    name: str
    teacher: str
    student: str
    gap: str
    better: str
    unit: str
    method: str


def metric_views(record: RunRecord) -> tuple[MetricView, ...]:
    """Every metric that was measured over all rows, in the order of measurement."""
    named = {each.name: each for each in record.measurements if each.subpopulation == ALL_ROWS}
    gaps = [name for name in named if name.startswith(METRIC_GAP) and as_counted(name) != GAP]
    less = _less_is_better(record)
    return tuple(_view(name, named, LESS if name in less else MORE) for name in gaps)


def _less_is_better(record: RunRecord) -> set[str]:
    """Measurements of which less is better: known metrics, and those that the spec has a bar for."""
    known = {f"{METRIC_GAP}{each.name}" for each in described(record.task["kind"]) if not each.higher_is_better}
    claims = [check.requirement for check in record.verdict.checks]
    return known | {claim.measurement for claim in claims if claim.direction is Direction.BELOW}


def _view(name: str, named: dict[str, Measurement], better: str) -> MetricView:
    metric, gap = name.removeprefix(METRIC_GAP), named[name]
    sides = [named.get(f"{role}_{metric}") for role in ("teacher", "student")]
    teacher, student = ("not measured" if each is None else _estimate(each.value) for each in sides)
    return MetricView(
        name=one_line(metric),
        teacher=teacher,
        student=student,
        gap=_estimate(gap.value, signed_for),
        better=better,
        unit=one_line(gap.unit),
        method=one_line(gap.value.method) if isinstance(gap.value, Interval) else "no interval",
    )


def _estimate(value: Estimate, writer: Callable[[Interval], Callable[[float], str]] = plain_for) -> str:
    if not isinstance(value, Interval):
        return f"not measured: {one_line(value.reason)}"
    return with_interval(value, writer(value))
