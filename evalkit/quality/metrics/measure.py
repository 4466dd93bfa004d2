"""Every metric that is asked for, of teacher and student on the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.data.queries import first_items, queries_of, refuse_split_queries
from evalkit.data.subpopulations import Group
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.metrics.answered import Answered, answered
from evalkit.quality.metrics.catalogue import metric
from evalkit.quality.metrics.estimates import Estimates, nothing
from evalkit.quality.metrics.metric import IntArray, Metric, Summed
from evalkit.quality.metrics.own import OwnMetricFailed
from evalkit.quality.metrics.paired_hits import hit_measurements
from evalkit.quality.metrics.paired_sums import PairedSums, paired_sums
from evalkit.quality.metrics.paired_weights import PairedWeights
from evalkit.quality.metrics.probabilities import NO_PROBABILITIES
from evalkit.quality.paired_gap import EVIDENCE
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

ACCURACY = "accuracy"
REPLICATES = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Models:
    """Both models' answers, the cluster of each unit [units], and how all of it is to be resampled."""

    teacher: Answered
    student: Answered
    units: int
    clusters: IntArray | None
    level: float
    seed: int
    replicates: int


def metric_measurements(
    table: pd.DataFrame,
    kind: str,
    labels: tuple[str, ...],
    metric_names: Sequence[str],
    groups: Sequence[Group],
    clusters_column: str | None,
    query_column: str | None,
    level: float,
    rng: np.random.Generator,
    *,
    in_groups: Collection[str] | None = None,
    replicates: int = REPLICATES,
) -> tuple[Measurement, ...]:
    """``student_minus_teacher_<metric>``, ``teacher_<metric>`` and ``student_<metric>`` of every metric over all rows,
    and in every group for the metrics of ``in_groups`` (all of them where it is None).

    ``table`` is the aligned table; ``groups`` hold its rows, in ranking those of its ``unit_table``, one a query.
    ``level`` is the intervals' two-sided confidence. Shares of rows get the paired intervals of accuracy, everything
    else a paired BCa bootstrap of rows, of whole clusters where there are any, or of queries; the method says which.
    One number is drawn from ``rng``; the resamples then depend on it and on the names of metric and group alone, so
    that another metric or group changes no figure. ``accuracy`` is left out: ``paired_measurements`` measures it.

    Raises SpecError for an unknown metric, one that fails over all rows or lacks its package, DataError for a table
    that is not as it should be.
    """
    found = [metric(name, kind, labels) for name in dict.fromkeys(metric_names) if name != ACCURACY]
    seed = int(rng.integers(2**63))
    if not found:
        return ()
    teacher, student = (answered(table, kind, labels, model, query_column) for model in (TEACHER, STUDENT))
    clusters = _clusters(table, kind, clusters_column, query_column)
    models = _Models(
        teacher=teacher,
        student=student,
        units=_units(teacher),
        clusters=clusters,
        level=level,
        seed=seed,
        replicates=replicates,
    )
    return tuple(
        measurement
        for each in found
        for measurement in _measure(each, models, groups if in_groups is None or each.name in in_groups else ())
    )


def _units(answers: Answered) -> int:
    return len(answers) if answers.queries is None else int(answers.queries.max(initial=-1)) + 1


def _clusters(table: pd.DataFrame, kind: str, cluster: str | None, query: str | None) -> IntArray | None:
    if cluster is None:
        return None
    if kind == "ranking" and query is not None:
        queries = queries_of(table, query)
        refuse_split_queries(table, queries, cluster)
        table = table.iloc[first_items(queries)]
    return np.asarray(pd.factorize(table[cluster])[0], dtype=np.int64)


def _measure(found: Metric, models: _Models, groups: Sequence[Group]) -> Iterator[Measurement]:
    absent = _without_probabilities(found, models)
    if isinstance(found, Summed) and found.hits is not None and not absent:
        hits = [found.hits(each) for each in (models.teacher, models.student)]
        yield from hit_measurements(found.name, hits[0], hits[1], groups, models.clusters, models.level)
        return
    everything = (ALL_ROWS, np.arange(models.units, dtype=np.int64))
    parts = [everything, *((group.name, group.rows) for group in groups)]
    estimates = _with_one_model(found, models, absent, parts) if absent else _with_both(found, models, parts)
    for (name, _), estimate in zip(parts, estimates, strict=True):
        for side, value in (
            ("student_minus_teacher", estimate.gap),
            (TEACHER, estimate.teacher),
            (STUDENT, estimate.student),
        ):
            yield Measurement(
                name=f"{side}_{found.name}", subpopulation=name, unit=found.unit, value=value, evidence=EVIDENCE
            )


def _without_probabilities(found: Metric, models: _Models) -> list[str]:
    both = (models.teacher, models.student)
    return [each.model for each in both if found.needs_probabilities and each.probabilities is None]


Parts = Sequence[tuple[str, IntArray]]


def _with_both(found: Metric, models: _Models, parts: Parts) -> Iterator[Estimates]:
    paired = _pair(found, models.teacher, models.student)
    for name, rows in parts:
        clusters = None if models.clusters is None else models.clusters[rows]
        rng = _generator(models.seed, found.name, name)
        try:
            yield paired.estimates(rows, clusters, models.level, rng, models.replicates)
        except OwnMetricFailed as error:
            if name == ALL_ROWS:
                raise
            yield nothing(str(error), n=len(rows))


def _with_one_model(found: Metric, models: _Models, absent: Sequence[str], parts: Parts) -> Iterator[Estimates]:
    """No gap, and the own value of the model that has probabilities, if one has."""
    reason = NO_PROBABILITIES.format(" and the ".join(absent))
    if len(absent) == 2:
        yield from (nothing(reason, n=0) for _ in parts)
        return
    present = models.student if TEACHER in absent else models.teacher
    missing = NotEstimable(reason=reason, n=0)
    for estimate in _with_both(found, replace(models, teacher=present, student=present), parts):
        if present is models.student:
            yield Estimates(gap=missing, teacher=missing, student=estimate.student)
        else:
            yield Estimates(gap=missing, teacher=estimate.teacher, student=missing)


def _pair(found: Metric, teacher: Answered, student: Answered) -> PairedSums | PairedWeights:
    if isinstance(found, Summed):
        return paired_sums(found, teacher, student)
    return PairedWeights(metric=found, teacher=teacher, student=student)


def _generator(seed: int, metric: str, group: str) -> np.random.Generator:
    """The same numbers for one seed, metric and group, whatever else is measured."""
    named = hashlib.sha256(f"{metric}\0{group}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(named, "big")])
