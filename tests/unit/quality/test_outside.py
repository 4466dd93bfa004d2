"""Answers outside the labels: wrong, of no label, counted, and never agreed upon."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from evalkit.data.subpopulations import Group
from evalkit.quality.fidelity import fidelity_measurements
from evalkit.quality.metrics.answered import answered
from evalkit.quality.metrics.catalogue import metric
from evalkit.quality.metrics.measure import metric_measurements
from evalkit.quality.outside import outside_measurements
from evalkit.quality.paired_gap import paired_measurements
from evalkit.spec.gate import OUTSIDE
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS

LABELS = ("a", "b", "c")
CELL = st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, OUTSIDE)), st.sampled_from((*LABELS, OUTSIDE)))


def table_of(cells):
    return pd.DataFrame(cells, columns=["row_label", "teacher", "student"])


def made(rows=400, outside=40, seed=1):
    """A teacher that is right where it answers with a label, in all but ``outside`` rows; a student in 9 of 10."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(LABELS, rows)
    student = np.where(rng.random(rows) < 0.9, truth, "a")
    teacher = truth.astype(object)
    teacher[:outside] = OUTSIDE
    return pd.DataFrame({"row_label": truth, "teacher": teacher, "student": student, "user": np.arange(rows) // 2})


def named(measurements):
    return {each.name: each.value for each in measurements if each.subpopulation == ALL_ROWS}


@settings(deadline=None)
@given(st.lists(CELL, min_size=1, max_size=60))
def test_metrics_of_labels_count_it_as_a_miss_of_the_true_label_and_a_claim_of_none(cells):
    """As scikit-learn does where the answer is a class of its own that is left out of the average."""
    table = table_of(cells)
    own = answered(table, "classification", LABELS, "teacher")
    occurring = sorted(set(table["row_label"]))
    expected = f1_score(table["row_label"], table["teacher"], labels=occurring, average="macro", zero_division=0)
    assert metric("macro_f1", "classification", LABELS).value(own) == pytest.approx(expected)
    assert metric("accuracy", "classification", LABELS).value(own) == (table["row_label"] == table["teacher"]).mean()
    recalls = [(rows["teacher"] == label).mean() for label, rows in table.groupby("row_label")]
    assert metric("balanced_accuracy", "classification", LABELS).value(own) == pytest.approx(np.mean(recalls))


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_mean_recall_is_scikit_learns():
    table = made()
    own = answered(table, "classification", LABELS, "teacher")
    expected = balanced_accuracy_score(table["row_label"], table["teacher"])
    assert metric("balanced_accuracy", "classification", LABELS).value(own) == pytest.approx(expected)


def test_the_bootstrap_tells_it_from_every_label():
    """Truth a answered outside is another cell than truth b answered a: as numbers of one base they would be equal."""
    table = table_of([("a", OUTSIDE, "a"), ("b", "a", "b")] * 40 + [("a", "a", "a"), ("b", "b", "b")] * 40)
    names = ("macro_f1", "balanced_accuracy", "f1:a")
    measured = named(
        metric_measurements(
            table, "classification", LABELS, names, (), None, None, 0.9, np.random.default_rng(1), replicates=200
        )
    )
    own = answered(table, "classification", LABELS, "teacher")
    for name in names:
        value = measured[f"teacher_{name}"]
        assert isinstance(value, Interval)
        assert value.point == pytest.approx(metric(name, "classification", LABELS).value(own))


def test_the_share_of_rows_has_an_interval_and_a_model_without_such_answers_no_line():
    found = named(outside_measurements(made(), (), None, 0.9))
    share = found["teacher_answers_outside_labels"]
    assert isinstance(share, Interval)
    assert (share.point, share.n) == (0.1, 400)
    assert share.lower < 0.1 < share.upper
    assert "student_answers_outside_labels" not in found
    assert outside_measurements(made(outside=0), (), None, 0.9) == ()


def test_the_gap_is_also_given_as_if_the_teacher_had_been_right_there():
    """Counted as wrong the teacher has 90 %, level with its student; forgiven it has all."""
    table = made()
    counted, forgiven = (
        named(paired_measurements(table, (), None, 0.9)),
        named(outside_measurements(table, (), None, 0.9)),
    )
    student = counted["student_accuracy"].point
    assert counted["teacher_accuracy"].point == 0.9
    assert forgiven["teacher_accuracy_if_outside_were_right"].point == 1.0
    gap = forgiven["student_minus_teacher_accuracy_if_outside_were_right"]
    assert gap.point == pytest.approx(student - 1.0)
    assert gap.upper < counted["student_minus_teacher_accuracy"].lower


def test_a_group_has_the_forgiven_gap_where_the_teacher_answered_outside_in_it():
    table = made()
    group = {"margin": 0.05, "required": True}
    inside = Group(name="user=old", rows=np.arange(200, 400), **group)
    hit = Group(name="user=new", rows=np.arange(100), **group)
    found = {each.subpopulation: each.value for each in outside_measurements(table, (inside, hit), None, 0.9)[2:]}
    assert "user=old" not in found
    (part,) = [each for each in paired_measurements(table.iloc[:100], (), None, 0.9) if each.name == "student_accuracy"]
    assert found["user=new"].point == pytest.approx(part.value.point - 1.0)


def test_production_weights_are_forgiven_too():
    """Half of the traffic is a tenth of the rows, in which the teacher answered outside the labels every time."""
    half = {"margin": None, "required": False, "weight": 0.5, "columns": ("channel",)}
    groups = [
        Group(name="channel=tweet", rows=np.arange(40), values=("tweet",), **half),
        Group(name="channel=mail", rows=np.arange(40, 400), values=("mail",), **half),
    ]
    gaps = [each for each in outside_measurements(made(), groups, None, 0.9) if "minus" in each.name]
    found = {each.subpopulation: each.value.point for each in gaps}
    student = (made()["student"] == made()["row_label"]).to_numpy()
    expected = (student[:40].mean() + student[40:].mean()) / 2 - 1.0
    assert found["all, weighted by channel"] == pytest.approx(expected)


def test_rows_that_belong_together_widen_the_share():
    table = made()
    plain, clustered = (named(outside_measurements(table, (), cluster, 0.9)) for cluster in (None, "user"))
    name = "teacher_answers_outside_labels"
    assert clustered[name].upper - clustered[name].lower > 1.2 * (plain[name].upper - plain[name].lower)


def test_a_student_that_is_outside_too_is_counted_and_not_forgiven():
    table = made().assign(student=lambda each: each["teacher"])
    found = named(outside_measurements(table, (), None, 0.9))
    assert found["student_answers_outside_labels"].point == 0.1
    assert found["student_accuracy_if_outside_were_right"].point == 0.9


def test_two_answers_outside_the_labels_agree_on_nothing():
    table = made().assign(student=lambda each: each["teacher"])
    rng = np.random.default_rng(1)
    found = named(fidelity_measurements(table, "classification", LABELS, None, 0.9, rng))
    assert found["agreement"].point == 0.9
    texts = named(fidelity_measurements(table, "generation", (), None, 0.9, rng))
    assert texts["agreement"].point == 1.0


def test_a_metric_of_the_users_own_sees_it_by_name(tmp_path, monkeypatch):
    (tmp_path / "seeing.py").write_text(
        "def share_outside(truth, predicted, probabilities):\n"
        "    return predicted.count('(outside)') / len(predicted)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = answered(made(), "classification", LABELS, "teacher")
    assert metric("seeing:share_outside", "classification", LABELS).value(own) == 0.1
