"""Answers outside the labels: how many there are, and what they may hide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import GAP, ROW_LABEL, accuracy, paired_measurements
from evalkit.spec.gate import OUTSIDE
from evalkit.stats.measurement import ALL_ROWS, Measurement

WERE_RIGHT = "accuracy_if_outside_were_right"
OF_ROWS = "answers_outside_labels"


def outside_measurements(table: pd.DataFrame, cluster: str | None, level: float) -> tuple[Measurement, ...]:
    """For each model that answered a row outside the labels, the share of rows on which it did; nothing for others.

    Such an answer counts as wrong, and a teacher that is wrong more often is easier to replace. So for the teacher
    there is also the gap, with both accuracies, as it would be had it been right on every one of those rows: the least
    that the student can be said to reach, however those answers are read. ``table`` has one row a unit; ``level`` is
    the intervals' two-sided confidence.
    """
    return tuple(_measured(table, cluster, level))


def _measured(table: pd.DataFrame, cluster: str | None, level: float) -> Iterator[Measurement]:
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    for model in (TEACHER, STUDENT):
        outside = _outside(table, model)
        if outside.any():
            yield accuracy(f"{model}_{OF_ROWS}", ALL_ROWS, outside, clusters, level)
    outside = _outside(table, TEACHER)
    if not outside.any():
        return
    forgiven = table.assign(**{TEACHER: table[TEACHER].where(~outside, table[ROW_LABEL])})
    for each in paired_measurements(forgiven, (), cluster, level):
        if each.name in (GAP, "teacher_accuracy", "student_accuracy"):
            yield replace(each, name=each.name.replace("accuracy", WERE_RIGHT))


def _outside(table: pd.DataFrame, model: str) -> NDArray[np.bool_]:
    return (table[model] == OUTSIDE).to_numpy(dtype=np.bool_)
