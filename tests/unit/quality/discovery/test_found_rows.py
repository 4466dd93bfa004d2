"""The rows of a find are those on which its gap was confirmed."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.quality.discovery.discover import discover
from evalkit.quality.discovery.features import Task
from evalkit.quality.discovery.found_rows import found_groups
from evalkit.quality.paired_gap import GAP, paired_measurements
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import Discovery
from tests.recorded_projects import binary


@pytest.mark.parametrize("cluster", [None, "user"])
def test_the_same_student_has_the_same_gap_there(cluster):
    tables = binary(3000)
    tables = tables.losing(tables.held_out["channel"] == "shop", 0.5)
    table = tables.held_out.rename(columns={"id": "row_id", "label": "row_label"}).assign(
        teacher=tables.teacher["prediction"], student=tables.student["prediction"], user=np.arange(3000) // 3
    )
    task = Task(columns=Columns(cluster=cluster), kind="classification", labels=("no", "yes"))
    spec = Discovery(columns=("channel",))
    result = discover(table, spec, task=task, level=0.9, rng=np.random.default_rng(4))
    assert [each.name for each in result.confirmed] == ["channel=shop"]
    (group,) = found_groups(result.confirmed, table, spec, task=task, rng=np.random.default_rng(4))
    assert group.n == result.confirmed[0].n_confirming
    assert set(table["channel"].iloc[group.rows]) == {"shop"}
    measured = paired_measurements(table, (group,), cluster, 0.9)
    (gap,) = (each for each in measured if each.name == GAP and each.subpopulation == group.name)
    assert gap == result.confirmed[0].gap


def test_nothing_found_is_no_rows():
    task = Task(columns=Columns(), kind="classification", labels=("no", "yes"))
    assert found_groups((), binary(10).held_out, Discovery(), task=task, rng=np.random.default_rng(1)) == ()
