"""Gaps and accuracies equal what pandas alone computes; clusters count for less."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.subpopulations import groups
from evalkit.quality.design_effect import deflate, design_effect
from evalkit.quality.fidelity import divergence, fidelity_measurements
from evalkit.quality.paired_gap import GAP, RETENTION, count_pairs, paired_measurements
from evalkit.spec.gate import Subpopulation
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts

LABELS = ("bad", "good")


def random_table(seed, rows):
    rng = np.random.default_rng(seed)
    names = np.array(LABELS)
    columns = {name: names[rng.integers(0, 2, rows)] for name in ("row_label", "teacher", "student")}
    return pd.DataFrame(columns | {"channel": rng.choice(["x", "y", "z"], rows), "user": rng.integers(0, 5, rows)})


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 200))
def test_every_figure_equals_the_one_computed_with_pandas_alone(seed, rows):
    table = random_table(seed, rows)
    found = groups(table, [Subpopulation(columns=("channel",))], 0.1)
    measured = {(each.name, each.subpopulation): each.value for each in paired_measurements(table, found, None, 0.9)}
    parts = {"all": table} | {f"channel={name}": part for name, part in table.groupby("channel")}
    for name, part in parts.items():
        teacher, student = ((part[model] == part["row_label"]).mean() for model in ("teacher", "student"))
        assert measured["teacher_accuracy", name].point == pytest.approx(teacher)
        assert measured["student_accuracy", name].point == pytest.approx(student)
        assert measured[GAP, name].point == pytest.approx(student - teacher)
        assert measured[GAP, name].n == len(part)
        if name == "all" and teacher > 0:
            assert measured[RETENTION, name].point == pytest.approx(student / teacher)
    assert len(measured) == 1 + 3 * len(parts)


def test_the_four_counts_are_told_apart():
    student = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
    teacher = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert count_pairs(student, teacher) == PairedCounts(both=1, student_only=2, teacher_only=3, neither=4)


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_each_row_in_one_cluster_are_worth_one_row(copies):
    """m identical copies: the variance of the mean is m times that of as many independent rows, up to k/(k − 1)."""
    values = np.random.default_rng(0).normal(size=400)
    effect = design_effect(np.repeat(values, copies), np.repeat(np.arange(400), copies))
    assert effect == pytest.approx(copies, rel=0.01)


def test_clusters_of_one_row_cost_nothing_and_no_clustering_earns_anything():
    values = np.random.default_rng(1).normal(size=500)
    assert design_effect(values, np.arange(500)) == pytest.approx(1.0, abs=0.01)
    assert design_effect(np.tile([-1.0, 1.0], 250), np.repeat(np.arange(250), 2)) == 1.0
    assert design_effect(values, None) == 1.0


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0]])
def test_without_clusters_the_design_effect_is_one(values):
    assert design_effect(np.array(values), None) == 1.0


def test_effective_counts_keep_their_proportions():
    counts = PairedCounts(both=80, student_only=4, teacher_only=8, neither=8)
    assert deflate(counts, 4.0) == PairedCounts(both=20, student_only=1, teacher_only=2, neither=2)
    assert deflate(counts, 1.0) is counts


def test_the_interval_of_rows_that_stand_there_five_times_is_that_of_the_rows_themselves():
    once = random_table(3, 600).assign(user=np.arange(600))
    five = pd.concat([once] * 5, ignore_index=True)
    single, clustered = (
        next(each.value for each in paired_measurements(table, (), cluster, 0.9) if each.name == GAP)
        for table, cluster in ((once, None), (five, "user"))
    )
    naive = next(each.value for each in paired_measurements(five, (), None, 0.9) if each.name == GAP)
    assert isinstance(clustered, Interval)
    assert clustered.lower == pytest.approx(single.lower, abs=0.004)
    assert clustered.upper == pytest.approx(single.upper, abs=0.004)
    assert naive.upper - naive.lower < 0.6 * (clustered.upper - clustered.lower)
    assert "design effect 5.0" in clustered.method


def test_divergence_by_hand():
    teacher, student = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.25, 0.75], [0.9, 0.1]])
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    np.testing.assert_allclose(divergence(teacher, student), [expected, 0.0], atol=1e-12)


def test_flips_and_agreement_are_shares_of_rows():
    table = pd.DataFrame(
        {
            "row_label": ["good"] * 10,
            "teacher": ["good"] * 7 + ["bad"] * 3,
            "student": ["good"] * 5 + ["bad"] * 2 + ["good"] + ["bad"] * 2,
        }
    )
    measured = {each.name: each.value for each in fidelity_measurements(table, LABELS, None, 0.9)}
    assert measured["agreement"].point == pytest.approx(0.7)
    assert measured["negative_flip_rate"].point == pytest.approx(0.2)
    assert measured["positive_flip_rate"].point == pytest.approx(0.1)
    assert isinstance(measured["teacher_student_kl"], NotEstimable)
    assert measured["teacher_student_kl"].reason == "no probabilities of the teacher and student are recorded"
