"""What must hold of every paired comparison, whatever the metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.subpopulations import Group
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.stats.interval import Interval, NotEstimable

LABELS = ("a", "b", "c")
METRICS = (
    "balanced_accuracy",
    "macro_f1",
    "f1:c",
    "precision@0.5:a",
    "recall@0.4:b",
    "auc:a",
    "top@2",
    "log_loss",
    "brier",
    "ece",
)


def table(seed, rows):
    rng = np.random.default_rng(seed)
    names = np.array(LABELS, dtype=object)
    truth = rng.integers(0, 3, rows)
    columns = {"row_label": names[truth], "user": rng.integers(0, 9, rows)}
    for model in ("teacher", "student"):
        given = rng.dirichlet(np.ones(3), rows) + rng.uniform(0, 2) * np.eye(3)[truth]
        given /= given.sum(axis=1, keepdims=True)
        columns[model] = names[given.argmax(axis=1)]
        columns |= {f"{model}_probability_{label}": given[:, number] for number, label in enumerate(LABELS)}
    return pd.DataFrame(columns)


def measured(data, rows=None, cluster=None):
    groups = [] if rows is None else [Group(name="part", rows=rows, margin=0.1, required=True)]
    rng = np.random.default_rng(0)
    found = metric_measurements(
        data, "classification", LABELS, METRICS, groups, cluster, None, 0.9, rng, replicates=200
    )
    return {(each.name, each.subpopulation): each.value for each in found}


def swapped(data):
    other = {"teacher": "student", "student": "teacher"}
    return data.rename(
        columns=lambda name: next((other[m] + name.removeprefix(m) for m in other if name.startswith(m)), name)
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 150), st.sampled_from([None, "user"]))
def test_every_estimate_is_an_interval_around_finite_figures_or_says_why_not(seed, rows, cluster):
    for (name, _), value in measured(table(seed, rows), np.arange(0, rows, 3), cluster).items():
        if isinstance(value, Interval):
            assert np.isfinite([value.point, value.lower, value.upper]).all()
            assert value.lower < value.upper
            if name.startswith("student_minus_teacher") and "ece" not in name:
                assert value.lower <= value.point <= value.upper
        else:
            assert isinstance(value, NotEstimable)
            assert value.reason


def both_intervals(one, other):
    """Pairs of the same estimate; whether a rare quantity is estimable may hang on the draws."""
    pairs = [(one[key], other[key]) for key in one if isinstance(one[key], Interval)]
    pairs = [(first, second) for first, second in pairs if isinstance(second, Interval)]
    assert pairs
    return pairs


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(60, 150))
def test_teacher_and_student_changing_places_negates_the_gap(seed, rows):
    data = table(seed, rows)
    one, other = measured(data), measured(swapped(data))
    for name in METRICS:
        gap, back = (each[f"student_minus_teacher_{name}", "all"] for each in (one, other))
        if isinstance(gap, Interval) and isinstance(back, Interval):
            assert gap.point == pytest.approx(-back.point, abs=1e-12)
    of_teacher, of_student = (
        {name: each[f"{model}_{name}", "all"] for name in METRICS}
        for model, each in (("teacher", one), ("student", other))
    )
    for first, second in both_intervals(of_teacher, of_student):
        assert first.point == second.point


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(60, 150))
def test_the_order_of_the_rows_moves_no_point(seed, rows):
    data = table(seed, rows)
    shuffled = data.sample(frac=1.0, random_state=seed).reset_index(drop=True)
    for first, second in both_intervals(measured(data), measured(shuffled)):
        assert first.point == pytest.approx(second.point, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(100, 200))
def test_a_group_has_the_points_that_its_rows_have_alone(seed, rows):
    data = table(seed, rows)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(rows) < 0.6)
    in_group = {(name, "all"): value for (name, where), value in measured(data, chosen).items() if where == "part"}
    for first, second in both_intervals(in_group, measured(data.iloc[chosen].reset_index(drop=True))):
        assert first.point == pytest.approx(second.point, abs=1e-12)
        assert first.n == second.n
