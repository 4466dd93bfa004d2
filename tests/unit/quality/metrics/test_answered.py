"""Aligned tables become numbers, or an error that names what is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.quality.metrics.answered import answered, has_probabilities

LABELS = ("a", "b")


def with_probabilities(first, second):
    return pd.DataFrame(
        {
            "row_label": ["a", "b"],
            "teacher": ["a", "a"],
            "teacher_probability_a": np.asarray(first),
            "teacher_probability_b": np.asarray(second),
        }
    )


def test_labels_become_numbers_in_the_tasks_order():
    found = answered(with_probabilities([0.75, 0.5], [0.25, 0.5]), "classification", LABELS, "teacher")
    assert found.truth.tolist() == [0, 1]
    assert found.predicted.tolist() == [0, 0]
    assert found.probabilities.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert len(found) == 2


def test_label_sets_become_a_matrix():
    table = pd.DataFrame({"row_label": ["a|b", "", "b"], "student": ["b|a", "a", ""]})
    found = answered(table, "multilabel", LABELS, "student")
    assert found.truth.tolist() == [[True, True], [False, False], [False, True]]
    assert found.predicted.tolist() == [[True, True], [True, False], [False, False]]
    assert found.probabilities is None


def test_queries_are_numbered_as_they_first_appear():
    table = pd.DataFrame({"row_label": [1, 0, 2], "student": [0.1, 0.2, 0.3], "session": ["z", "a", "z"]})
    assert answered(table, "ranking", (), "student", "session").queries.tolist() == [0, 1, 0]


def test_rows_may_be_taken_more_than_once():
    found = answered(with_probabilities([0.75, 0.5], [0.25, 0.5]), "classification", LABELS, "teacher")
    twice = found.take(np.array([1, 1, 0]))
    assert twice.truth.tolist() == [1, 1, 0]
    assert twice.probabilities.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]]


@pytest.mark.parametrize(
    ("first", "second"),
    [([0.9, 0.5], [0.3, 0.5]), ([np.nan, 0.5], [0.5, 0.5]), ([np.inf, 0.5], [0.5, 0.5]), ([-0.5, 0.5], [1.5, 0.5])],
)
def test_probabilities_that_are_none_are_refused(first, second):
    with pytest.raises(DataError, match="teacher's probabilities of 1 rows are not from 0 to 1 and sum to 1"):
        answered(with_probabilities(first, second), "classification", LABELS, "teacher")


def test_probabilities_of_sets_need_not_sum_to_1_but_lie_within_it():
    table = with_probabilities([0.9, 0.9], [0.9, 0.9])
    assert answered(table, "multilabel", LABELS, "teacher").probabilities is not None
    with pytest.raises(DataError, match="are not from 0 to 1"):
        answered(with_probabilities([1.2, 0.9], [0.9, 0.9]), "multilabel", LABELS, "teacher")


def test_a_column_short_is_no_probabilities():
    table = with_probabilities([0.75, 0.5], [0.25, 0.5])
    assert has_probabilities(table, LABELS, "teacher")
    assert not has_probabilities(table.drop(columns="teacher_probability_b"), LABELS, "teacher")
    assert not has_probabilities(table, (), "teacher")


@pytest.mark.parametrize(
    ("kind", "truth", "answer", "message"),
    [
        ("classification", ["a", "b"], ["a", "c"], "task.labels does not name: c"),
        ("classification", ["a", "b"], ["a", None], "student is missing in 1 rows"),
        ("multilabel", ["a", "b"], ["a|c", "b"], "task.labels does not name 'c'"),
        ("ranking", [1.0, -1.0], [0.0, 0.0], "row_label is -1 for an item"),
        ("ranking", [1.0, 0.0], [0.0, np.inf], "not finite"),
        ("ranking", [1.0, 0.0], [0.0, np.nan], "student is missing for 1 items"),
        ("ranking", [1.0, 0.0], ["high", "low"], "not a number"),
    ],
)
def test_answers_that_cannot_be_counted_are_refused(kind, truth, answer, message):
    table = pd.DataFrame({"row_label": truth, "student": answer, "query": [1, 1]})
    with pytest.raises(DataError, match=message):
        answered(table, kind, LABELS, "student", "query")


@pytest.mark.parametrize("column", [None, "absent"])
def test_ranking_without_queries_is_refused(column):
    table = pd.DataFrame({"row_label": [1.0], "student": [0.5]})
    with pytest.raises(DataError, match=r"data\.columns\.query"):
        answered(table, "ranking", (), "student", column)
