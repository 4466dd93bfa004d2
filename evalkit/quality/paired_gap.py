"""Teacher against student on the same rows: overall and for every subpopulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.design_effect import deflate, design_effect
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.proportions import proportion
from evalkit.stats.retention import retention

GAP = "student_minus_teacher_accuracy"
RETENTION = "student_over_teacher_accuracy"
EVIDENCE = "predictions.parquet"


def paired_measurements(
    table: pd.DataFrame, found: Sequence[Group], cluster: str | None, level: float
) -> tuple[Measurement, ...]:
    """Gap and retention over all rows, then the gap and both accuracies of every group.

    ``level`` is the intervals' two-sided confidence. Where rows share a cluster, the effective number of
    rows is n ÷ design effect (Rao & Scott 1992), and the methods say so.
    """
    student = right(table, STUDENT)
    teacher = right(table, TEACHER)
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    everyone = np.arange(len(table))
    measured = [_retention(student, teacher, clusters, level)]
    for name, rows in [(ALL_ROWS, everyone), *((group.name, group.rows) for group in found)]:
        own = None if clusters is None else clusters[rows]
        measured += _group(name, student[rows], teacher[rows], own, level)
    return tuple(measured)


def right(table: pd.DataFrame, model: str) -> NDArray[np.bool_]:
    """Whether ``model`` answers each row with its label, [n]."""
    return np.asarray(table[model].to_numpy() == table["row_label"].to_numpy(), dtype=np.bool_)


def count_pairs(student: NDArray[np.bool_], teacher: NDArray[np.bool_]) -> PairedCounts:
    """The four counts of two right-or-wrong vectors.

    >>> count_pairs(np.array([True, True, False]), np.array([True, False, True]))
    PairedCounts(both=1, student_only=1, teacher_only=1, neither=0)
    """
    cells = np.bincount(2 * student.astype(np.int64) + teacher, minlength=4)
    return PairedCounts(
        neither=int(cells[0]), teacher_only=int(cells[1]), student_only=int(cells[2]), both=int(cells[3])
    )


def _group(
    name: str,
    student: NDArray[np.bool_],
    teacher: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> list[Measurement]:
    effect = design_effect(student.astype(float) - teacher.astype(float), clusters)
    counts = deflate(count_pairs(student, teacher), effect)
    return [
        Measurement(
            name=GAP,
            subpopulation=name,
            unit="share of rows",
            value=_of_all_rows(difference(counts, level), student.mean() - teacher.mean(), effect),
            evidence=EVIDENCE,
            counts=counts,
        ),
        accuracy("teacher_accuracy", name, teacher, clusters, level),
        accuracy("student_accuracy", name, student, clusters, level),
    ]


def accuracy(
    measured: str, name: str, hits: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float
) -> Measurement:
    """A share of rows with its interval."""
    effect = design_effect(hits.astype(float), clusters)
    n = max(1, round(len(hits) / effect)) if len(hits) else 0
    estimate = proportion(round(float(hits.mean()) * n) if n else 0, n, level)
    return Measurement(
        name=measured,
        subpopulation=name,
        unit="share of rows",
        value=_of_all_rows(estimate, hits.mean(), effect),
        evidence=EVIDENCE,
    )


def _retention(
    student: NDArray[np.bool_], teacher: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float
) -> Measurement:
    ratio = student.mean() / teacher.mean() if teacher.any() else 1.0
    effect = design_effect(student.astype(float) - ratio * teacher.astype(float), clusters)
    counts = deflate(count_pairs(student, teacher), effect)
    return Measurement(
        name=RETENTION,
        subpopulation=ALL_ROWS,
        unit="ratio",
        value=_of_all_rows(retention(counts, level), ratio, effect),
        evidence=EVIDENCE,
        counts=counts,
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
