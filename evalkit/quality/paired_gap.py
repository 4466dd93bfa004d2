"""Teacher against student on the same rows: overall and for every subpopulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.design_effect import deflate, design_effect, design_effects, too_few_clusters
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import METHOD as TANGO
from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.proportions import CLOPPER_PEARSON, WILSON, proportion_bounds
from evalkit.stats.retention import retention

GAP = "student_minus_teacher_accuracy"
RETENTION = "student_over_teacher_accuracy"
EVIDENCE = "predictions.parquet"
ROW_LABEL = "row_label"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one group's rows say: their four counts, the design effect of each quantity, and why its clusters are too
    few where they are."""

    counts: PairedCounts
    gap_effect: float
    teacher_effect: float
    student_effect: float
    too_few: NotEstimable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """A share of ``hits`` among ``n`` rows, before its interval."""

    hits: int
    n: int
    effect: float
    too_few: NotEstimable | None

    @property
    def observed(self) -> float:
        return self.hits / self.n

    @property
    def effective(self) -> tuple[int, int]:
        """Hits and rows as if only n ÷ ``effect`` rows had been seen."""
        n = max(1, round(self.n / self.effect)) if self.n else 0
        return (round(self.observed * n) if n else 0), n


def paired_measurements(
    table: pd.DataFrame, found: Sequence[Group], cluster: str | None, level: float
) -> tuple[Measurement, ...]:
    """Gap and retention over all rows, then the gap and both accuracies of every group.

    ``level`` is the intervals' two-sided confidence. Where rows share a cluster, the effective number of
    rows is n ÷ design effect (Rao & Scott 1992), and the methods say so. A group without rows, or of too few
    clusters, is NotEstimable. Rows are counted group by group; the intervals of all groups are then solved at
    once, so that time and memory grow with rows and hardly with groups.
    """
    student = right(table, STUDENT)
    teacher = right(table, TEACHER)
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    cells = 2 * student.astype(np.int64) + teacher
    names = [ALL_ROWS, *(group.name for group in found)]
    seen = [_seen(cells, clusters), *(_seen_in(cells, clusters, group.rows) for group in found)]
    gaps = _gaps(seen, level)
    teachers = _shares(
        [_Share(hits=s.counts.teacher_right, n=s.counts.n, effect=s.teacher_effect, too_few=s.too_few) for s in seen],
        level,
    )
    students = _shares(
        [_Share(hits=s.counts.student_right, n=s.counts.n, effect=s.student_effect, too_few=s.too_few) for s in seen],
        level,
    )
    measured = [_retention(student, teacher, clusters, seen[0].too_few, level)]
    for name, (gap, counts), teacher_accuracy, student_accuracy in zip(names, gaps, teachers, students, strict=True):
        measured += [
            _measurement(GAP, name, gap, counts),
            _measurement("teacher_accuracy", name, teacher_accuracy),
            _measurement("student_accuracy", name, student_accuracy),
        ]
    return tuple(measured)


def right(table: pd.DataFrame, model: str) -> NDArray[np.bool_]:
    """Whether ``model`` answers each row with its label, [n]. A missing answer or label is never right."""
    return equal(table[model], table[ROW_LABEL])


def equal(first: pd.Series, second: pd.Series) -> NDArray[np.bool_]:
    """Where two columns of one table hold the same value, [n]; nothing is equal to a missing value."""
    one, other = _plain(first), _plain(second)
    there = (one.notna() & other.notna()).to_numpy(dtype=np.bool_)
    if one.dtype == other.dtype and one.dtype != np.dtype(object):
        return np.asarray((one == other).fillna(False).to_numpy(dtype=np.bool_) & there, dtype=np.bool_)
    same = np.zeros(len(one), dtype=np.bool_)
    same[there] = one.to_numpy(dtype=object)[there] == other.to_numpy(dtype=object)[there]
    return same


def _plain(column: pd.Series) -> pd.Series:
    """Values in place of categories: two columns may name the same ones in another order."""
    return column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column


def count_pairs(student: NDArray[np.bool_], teacher: NDArray[np.bool_]) -> PairedCounts:
    """The four counts of two right-or-wrong vectors.

    >>> count_pairs(np.array([True, True, False]), np.array([True, False, True]))
    PairedCounts(both=1, student_only=1, teacher_only=1, neither=0)
    """
    return _counted(2 * student.astype(np.int64) + teacher)


def is_shown_better(measurements: Sequence[Measurement]) -> bool:
    """Whether the student is shown to be right more often than its teacher, over all rows."""
    gaps = [each.value for each in measurements if (each.name, each.subpopulation) == (GAP, ALL_ROWS)]
    return any(isinstance(gap, Interval) and gap.lower > 0 for gap in gaps)


def paired_differences(
    pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]], clusters: NDArray[np.int64] | None, level: float
) -> list[Estimate]:
    """Accuracy of the first of each pair less that of the second on the same rows [n], as the gap of student and
    teacher is estimated; ``level`` is that of each interval."""
    seen = [_seen(2 * first.astype(np.int64) + second, clusters) for first, second in pairs]
    return [gap for gap, _ in _gaps(seen, level)]


def accuracy(
    measured: str, name: str, hits: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float
) -> Measurement:
    """A share of rows with its interval."""
    share = _Share(
        hits=int(hits.sum()),
        n=len(hits),
        effect=design_effect(hits.astype(float), clusters),
        too_few=too_few_clusters(clusters),
    )
    return _measurement(measured, name, _shares([share], level)[0])


def _seen_in(cells: NDArray[np.int64], clusters: NDArray[np.int64] | None, rows: NDArray[np.int64]) -> _Seen:
    return _seen(cells[rows], None if clusters is None else clusters[rows])


def _seen(cells: NDArray[np.int64], clusters: NDArray[np.int64] | None) -> _Seen:
    """``cells`` [n] are 2 · student right + teacher right."""
    counts = _counted(cells)
    if clusters is None:
        return _Seen(counts=counts, gap_effect=1.0, teacher_effect=1.0, student_effect=1.0, too_few=None)
    student, teacher = (cells // 2).astype(np.float64), (cells % 2).astype(np.float64)
    of_gap, of_teacher, of_student = design_effects((student - teacher, teacher, student), clusters)
    return _Seen(
        counts=counts,
        gap_effect=of_gap,
        teacher_effect=of_teacher,
        student_effect=of_student,
        too_few=too_few_clusters(clusters),
    )


def _counted(cells: NDArray[np.int64]) -> PairedCounts:
    neither, teacher_only, student_only, both = (int(count) for count in np.bincount(cells, minlength=4))
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def _gaps(seen: Sequence[_Seen], level: float) -> list[tuple[Estimate, PairedCounts]]:
    """The gap of each group, and the effective counts behind it."""
    effective = [deflate(each.counts, each.gap_effect) for each in seen]
    # A group without rows has no bounds; those of 1 row stand in for them and are not read.
    lower, upper = tango_bounds(
        [counts.student_only for counts in effective],
        [counts.teacher_only for counts in effective],
        [max(1, counts.n) for counts in effective],
        level,
    )
    found: list[tuple[Estimate, PairedCounts]] = []
    for index, (each, counts) in enumerate(zip(seen, effective, strict=True)):
        missing = each.too_few or (None if counts.n else NotEstimable(reason="there are no rows", n=0, n_needed=1))
        if missing is not None:
            found.append((missing, counts))
            continue
        estimate = Interval(
            point=(counts.student_only - counts.teacher_only) / counts.n,
            lower=float(lower[index]),
            upper=float(upper[index]),
            level=level,
            n=counts.n,
            method=TANGO,
        )
        observed = each.counts.student_right / each.counts.n - each.counts.teacher_right / each.counts.n
        found.append((_of_all_rows(estimate, observed, each.gap_effect), counts))
    return found


def _shares(shares: Sequence[_Share], level: float) -> list[Estimate]:
    """Each share with its interval."""
    effective = [share.effective for share in shares]
    lower, upper = proportion_bounds([hits for hits, _ in effective], [max(1, n) for _, n in effective], level)
    found: list[Estimate] = []
    for index, (share, (hits, n)) in enumerate(zip(shares, effective, strict=True)):
        missing = share.too_few or (None if n else NotEstimable(reason="there are no units", n=0, n_needed=1))
        if missing is not None:
            found.append(missing)
            continue
        estimate = Interval(
            point=hits / n,
            lower=float(lower[index]),
            upper=float(upper[index]),
            level=level,
            n=n,
            method=CLOPPER_PEARSON if hits in (0, n) else WILSON,
        )
        found.append(_of_all_rows(estimate, share.observed, share.effect))
    return found


def _retention(
    student: NDArray[np.bool_],
    teacher: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None,
    too_few: NotEstimable | None,
    level: float,
) -> Measurement:
    ratio = student.mean() / teacher.mean() if teacher.any() else 1.0
    effect = design_effect(student.astype(float) - ratio * teacher.astype(float), clusters)
    counts = deflate(count_pairs(student, teacher), effect)
    value = too_few or _of_all_rows(retention(counts, level), ratio, effect)
    return Measurement(
        name=RETENTION, subpopulation=ALL_ROWS, unit="ratio", value=value, evidence=EVIDENCE, counts=counts
    )


def _measurement(name: str, subpopulation: str, value: Estimate, counts: PairedCounts | None = None) -> Measurement:
    return Measurement(
        name=name, subpopulation=subpopulation, unit="share of rows", value=value, evidence=EVIDENCE, counts=counts
    )


def _of_all_rows(estimate: Estimate, observed: float, effect: float) -> Estimate:
    """An estimate from effective counts, said to be one, around what was observed on all rows: rounding to
    whole effective rows may widen the interval but moves no figure."""
    if not isinstance(estimate, Interval) or effect == 1.0:
        return estimate
    return Interval(
        point=float(observed),
        lower=min(estimate.lower, float(observed)),
        upper=max(estimate.upper, float(observed)),
        level=estimate.level,
        n=estimate.n,
        method=f"{estimate.method}, effective rows at design effect {effect:.2f} (Rao–Scott)",
    )
