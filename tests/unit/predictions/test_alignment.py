"""Recorded predictions are paired with held-out rows by id, completely or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.data.dataset import held_out_rows
from evalkit.errors import DataError, InvalidComparison
from evalkit.predictions.aligned import Answers, aligned_table, refuse_other_labels
from evalkit.predictions.recorded import read_recorded
from evalkit.spec.gate import Columns

LABELS = ("bad", "good")


@pytest.fixture
def rows():
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "text": ["x", "y", "z"],
            "label": ["good", "bad", "good"],
            "teacher": ["own", "column", "!"],
        }
    )
    return held_out_rows(table, Columns(), LABELS)


@pytest.fixture
def recorded(tmp_path, rows):
    def read(**columns):
        path = tmp_path / "student.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return read_recorded(path, "student", "id", rows, LABELS)

    return read


def test_answers_follow_the_held_out_rows_whatever_the_order_of_the_file(recorded):
    answers = recorded(id=["c", "a", "extra", "b"], prediction=["good", "bad", "bad", "good"])
    assert answers.predicted.tolist() == [0, 1, 1]
    assert answers.probabilities is None


def test_probabilities_are_kept_in_the_order_of_the_labels(recorded):
    answers = recorded(
        id=["b", "a", "c"],
        prediction=["good", "bad", "good"],
        probability_good=[0.75, 0.25, 1],
        probability_bad=[0.25, 0.75, 0],
    )
    np.testing.assert_array_equal(
        answers.probabilities, np.array([[0.75, 0.25], [0.25, 0.75], [0, 1]], dtype=np.float32)
    )


def test_rows_without_a_prediction_are_counted_and_the_first_named(recorded):
    with pytest.raises(
        InvalidComparison, match=r"student.recorded has no prediction for 2 of 3 held-out rows \(first: b\)"
    ):
        recorded(id=["a"], prediction=["good"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", "a", "b", "c"], "prediction": ["good"] * 4}, r"duplicate ids \(first: a\)"),
        ({"id": ["a", "b", "c"], "answer": ["good"] * 3}, r"has no column 'prediction'; it has id, answer"),
        ({"id": ["a", "b", "c"], "prediction": ["good", "so", "good"]}, r"answers so, which task.labels does not name"),
        (
            {"id": ["a", "b", "c"], "prediction": ["good"] * 3, "probability_good": [1, 1, 1]},
            r"has no column 'probability_bad'",
        ),
    ],
)
def test_a_table_that_is_none_of_predictions_is_refused(recorded, columns, message):
    with pytest.raises(DataError, match=message):
        recorded(**columns)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1, 0.6])
def test_probabilities_that_are_none_are_refused_with_their_row(recorded, wrong):
    with pytest.raises(DataError, match=r"probabilities of 1 rows are not finite, .*\(first: id b\)"):
        recorded(
            id=["a", "b", "c"], prediction=["good"] * 3, probability_good=[1, wrong, 1], probability_bad=[0, 0.5, 0]
        )


def test_the_aligned_table_holds_both_answers_and_gives_way_on_no_name_of_its_own(rows):
    answers = Answers(predicted=np.array([0, 1, 1]), probabilities=None, truncated=0)
    table = aligned_table(rows, LABELS, answers, answers)
    assert table["teacher"].tolist() == ["bad", "good", "good"]
    assert table["row_label"].tolist() == ["good", "bad", "good"]
    assert table["text"].tolist() == ["x", "y", "z"]
    assert table.columns.is_unique


def test_answers_that_do_not_pair_with_the_rows_are_refused(rows):
    whole = Answers(predicted=np.array([0, 1, 1]), probabilities=None, truncated=0)
    short = Answers(predicted=np.array([0, 1]), probabilities=None, truncated=0)
    with pytest.raises(InvalidComparison, match="pairing incomplete: 2 student answers for 3 held-out rows"):
        aligned_table(rows, LABELS, whole, short)


@pytest.mark.parametrize(
    ("task", "teacher", "student", "message"),
    [
        (("a", "b"), ("a", "c"), ("a", "c"), r"task.labels names b, which the teacher never saw; it knows a, c"),
        (("a", "b"), ("a", "b", "c"), ("a", "b"), r"the teacher answers c, which task.labels does not name"),
        (("a", "b"), ("a", "b"), ("b", "a"), r"number their labels differently \(a, b against b, a\); reorder"),
    ],
)
def test_labels_that_are_not_the_same_are_refused(task, teacher, student, message):
    with pytest.raises(InvalidComparison, match=message):
        refuse_other_labels(task, teacher, student)


def test_the_task_may_list_its_labels_in_another_order_than_both_models():
    refuse_other_labels(("a", "b"), ("b", "a"), ("b", "a"))
