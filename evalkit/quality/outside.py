"""Answers outside the labels: how many there are, and what they may hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import GAP, RETENTION, ROW_LABEL, accuracy, paired_measurements
from evalkit.quality.reweighted import reweighted_measurements
from evalkit.spec.gate import OUTSIDE
from evalkit.stats.measurement import ALL_ROWS, Measurement

WERE_RIGHT = "accuracy_if_outside_were_right"
OF_ROWS = "answers_outside_labels"


def if_right(name: str) -> str:
    """What a measurement is called where the teacher is taken as right wherever it answered outside the labels.

    >>> if_right(GAP)
    'student_minus_teacher_accuracy_if_outside_were_right'
    """
    return name.replace("accuracy", WERE_RIGHT)


def as_counted(name: str) -> str:
    """The same measurement with such answers counted as wrong; any other name as it is."""
    return name.replace(WERE_RIGHT, "accuracy")


def outside_measurements(
    table: pd.DataFrame, found: Sequence[Group], cluster: str | None, level: float
) -> tuple[Measurement, ...]:
    """For each model that answered a row outside the labels, the share of rows on which it did; nothing for others.

    Such an answer counts as wrong, and a teacher that is wrong more often is easier to replace. So for the teacher
    there are also the gap, retention and both accuracies as they would be had it been right on every one of those
    rows, and the gap of each group that has such a row: the least that the student can be said to reach, however those
    answers are read. ``table`` has one row a unit; ``level`` is the intervals' two-sided confidence.
    """
    return tuple(_measured(table, found, cluster, level))


def _measured(table: pd.DataFrame, found: Sequence[Group], cluster: str | None, level: float) -> Iterator[Measurement]:
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    for model in (TEACHER, STUDENT):
        outside = _outside(table, model)
        if outside.any():
            yield accuracy(f"{model}_{OF_ROWS}", ALL_ROWS, outside, clusters, level)
    outside = _outside(table, TEACHER)
    if not outside.any():
        return
    forgiven = table.assign(**{TEACHER: table[TEACHER].astype(object).where(~outside, table[ROW_LABEL])})
    touched = [group for group in found if outside[group.rows].any()]
    for each in paired_measurements(forgiven, touched, cluster, level):
        if each.name in (GAP, RETENTION) or each.subpopulation == ALL_ROWS:
            yield replace(each, name=if_right(each.name))
    for each in reweighted_measurements(forgiven, found, cluster, level):
        yield replace(each, name=if_right(each.name))


def _outside(table: pd.DataFrame, model: str) -> NDArray[np.bool_]:
    return (table[model] == OUTSIDE).to_numpy(dtype=np.bool_)
