"""Gaps and accuracies equal what pandas alone computes; clusters count for less."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.subpopulations import Group, groups
from evalkit.quality.design_effect import deflate, design_effect, design_effects, too_few_clusters
from evalkit.quality.fidelity import divergence, fidelity_measurements
from evalkit.quality.paired_gap import GAP, RETENTION, count_pairs, equal, paired_measurements, right
from evalkit.spec.subpopulations import Subpopulation
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.proportions import proportion

LABELS = ("bad", "good")
RNG = np.random.default_rng(0)


def random_table(seed, rows):
    rng = np.random.default_rng(seed)
    names = np.array(LABELS)
    columns = {name: names[rng.integers(0, 2, rows)] for name in ("row_label", "teacher", "student")}
    return pd.DataFrame(columns | {"channel": rng.choice(["x", "y", "z"], rows), "user": rng.integers(0, 12, rows)})


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
    measured = {
        each.name: each.value for each in fidelity_measurements(table, "classification", LABELS, None, 0.9, RNG)
    }
    assert measured["agreement"].point == pytest.approx(0.7)
    assert measured["negative_flip_rate"].point == pytest.approx(0.2)
    assert measured["positive_flip_rate"].point == pytest.approx(0.1)
    assert isinstance(measured["teacher_student_kl"], NotEstimable)
    assert measured["teacher_student_kl"].reason == "no probabilities of the teacher and student are recorded"


def overlapping_groups(seed, rows, count=12):
    """Groups of any size from 0 rows on; a row may be in many of them."""
    rng = np.random.default_rng(seed)
    return [
        Group(name=f"group {i}", rows=np.flatnonzero(rng.random(rows) < rng.random() ** 3), margin=0.1, required=True)
        for i in range(count)
    ]


def one_by_one(table, rows, cluster, level):
    """Gap, counts and accuracies of one group, by the functions for a single one."""
    part = table.iloc[rows]
    student, teacher = ((part[model] == part["row_label"]).to_numpy() for model in ("student", "teacher"))
    clusters = None if cluster is None else part[cluster].to_numpy()
    too_few = too_few_clusters(clusters)
    effect = design_effect(student.astype(float) - teacher, clusters)
    counts = deflate(count_pairs(student, teacher), effect)
    shares = []
    for hits in (teacher, student):
        n = max(1, round(len(hits) / design_effect(hits.astype(float), clusters))) if len(hits) else 0
        shares.append(too_few or proportion(round(hits.mean() * n) if n else 0, n, level))
    return too_few or difference(counts, level), counts, shares


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 400), st.sampled_from([None, "user"]))
def test_all_groups_at_once_give_what_each_gives_alone(seed, rows, cluster):
    table = random_table(seed, rows)
    found = overlapping_groups(seed, rows)
    measured = paired_measurements(table, found, cluster, 0.9)
    assert [each.subpopulation for each in measured[4::3]] == [group.name for group in found]
    for index, group in enumerate(found):
        gap, teacher, student = measured[4 + 3 * index : 7 + 3 * index]
        alone, counts, shares = one_by_one(table, group.rows, cluster, 0.9)
        assert gap.counts == counts
        for value, expected in ((gap.value, alone), (teacher.value, shares[0]), (student.value, shares[1])):
            assert type(value) is type(expected)
            assert value.n == expected.n
            if isinstance(value, Interval):
                # Effective rows are rounded; what is said of all rows may widen their interval, and moves no bound in.
                assert min(expected.lower, value.point) == pytest.approx(value.lower, abs=1e-14)
                assert max(expected.upper, value.point) == pytest.approx(value.upper, abs=1e-14)
        if cluster is None:
            assert gap.value == alone


def test_design_effects_of_several_values_are_those_of_each():
    rng = np.random.default_rng(2)
    columns, clusters = rng.integers(-1, 2, (3, 200)).astype(float), rng.integers(0, 30, 200)
    assert design_effects(columns, clusters) == tuple(design_effect(values, clusters) for values in columns)
    assert design_effects(columns, None) == (1.0, 1.0, 1.0)


def test_a_group_without_rows_is_not_estimable_and_the_others_are():
    table = random_table(4, 50)
    nobody = Group(name="age=≥65", rows=np.array([], dtype=np.int64), margin=0.1, required=True)
    somebody = Group(name="age=<65", rows=np.arange(50), margin=0.1, required=True)
    for cluster in (None, "user"):
        measured = paired_measurements(table, [nobody, somebody], cluster, 0.9)
        assert all(isinstance(each.value, NotEstimable) and each.value.n == 0 for each in measured[4:7])
        assert all(isinstance(each.value, Interval) for each in measured[7:])


def test_merged_groups_and_those_without_a_margin_are_measured_like_all_others():
    table = random_table(5, 60)
    plain = Group(name="x", rows=np.arange(7), margin=0.1, required=True)
    merged = Group(name="x", rows=np.arange(7), margin=None, required=False, merged_into="all")
    assert paired_measurements(table, [plain], None, 0.9) == paired_measurements(table, [merged], None, 0.9)


MISSING_ROWS = ["good", None, None, "bad", "good"]
MISSING_ANSWERS = ["good", None, "good", "good", None]


@pytest.mark.parametrize("answer_type", [object, "str", "string", "category"])
@pytest.mark.parametrize("label_type", [object, "str", "string", "category"])
def test_a_missing_answer_or_label_is_never_right(answer_type, label_type):
    table = pd.DataFrame(
        {
            "row_label": pd.Series(MISSING_ROWS, dtype=label_type),
            "teacher": pd.Series(MISSING_ANSWERS, dtype=answer_type),
        }
    )
    assert right(table, "teacher").tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pd.Categorical(["a", "b"], categories=["a", "b"]), pd.Categorical(["a", "b"], categories=["b", "a"]), [1, 1]),
        (pd.Series([1, None], dtype="Int64"), pd.Series([1, None], dtype="Int64"), [1, 0]),
        (pd.Series([1, 2], dtype="Int64"), pd.Series([1.0, 2.5]), [1, 0]),
        (pd.Series([1.0, np.nan]), pd.Series([1.0, np.nan]), [1, 0]),
        (pd.Series([1, 2]), pd.Series(["1", "2"]), [0, 0]),
        (pd.Series([pd.NA, 2], dtype=object), pd.Series([1, 2], dtype="Int64"), [0, 1]),
        (pd.Series([], dtype="str"), pd.Series([], dtype="str"), []),
    ],
)
def test_values_are_compared_whatever_the_types_of_their_columns(first, second, expected):
    assert equal(pd.Series(first), pd.Series(second)).tolist() == [bool(each) for each in expected]


def test_a_table_with_repeated_index_values_is_compared_row_by_row():
    table = pd.DataFrame({"row_label": ["a", "b"], "teacher": ["a", "a"]}, index=[7, 7])
    assert right(table, "teacher").tolist() == [True, False]
