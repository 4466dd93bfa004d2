"""Paired difference of a metric that is a share of rows: the accuracy of a table that says only who was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from evalkit.data.subpopulations import Group
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.metrics.metric import BoolArray, IntArray
from evalkit.quality.paired_gap import GAP, RETENTION, ROW_LABEL, paired_measurements
from evalkit.stats.measurement import Measurement

_CLUSTER = "cluster"


def hit_measurements(
    metric: str,
    teacher: BoolArray,
    student: BoolArray,
    groups: Sequence[Group],
    clusters: IntArray | None,
    level: float,
) -> tuple[Measurement, ...]:
    """Gap (Tango) and both shares (Wilson, Clopper–Pearson) over all rows and in each group, from who is right [n].

    Where rows share a cluster, from effective rows, as for accuracy.
    """
    table = pd.DataFrame({ROW_LABEL: True, TEACHER: teacher, STUDENT: student})
    if clusters is not None:
        table[_CLUSTER] = clusters
    measured = paired_measurements(table, groups, None if clusters is None else _CLUSTER, level)
    called = {GAP: f"student_minus_teacher_{metric}"}
    called |= {f"{model}_accuracy": f"{model}_{metric}" for model in (TEACHER, STUDENT)}
    return tuple(replace(each, name=called[each.name]) for each in measured if each.name != RETENTION)
