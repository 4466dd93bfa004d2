"""Recorded answers of every kind of task, and those that cannot be answers."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.data.dataset import Rows, held_out_rows
from evalkit.errors import DataError, InvalidComparison
from evalkit.predictions.aligned import Answers, aligned_table
from evalkit.predictions.recorded import read_recorded
from evalkit.spec.gate import Columns

LABELS = ("bad", "good")
Read = Callable[..., Answers]


def held_out(kind: str) -> Rows:
    truth = {
        "classification": ["good", "bad", "good"],
        "multilabel": ["good|bad", "", "good"],
        "generation": ["Paris", "Rome", "42"],
        "ranking": [2, 0, 1],
    }[kind]
    table = pd.DataFrame({"id": ["a", "b", "c"], "text": "t", "label": truth, "q": ["x"] * 3})
    columns = Columns(query="q" if kind == "ranking" else None)
    return held_out_rows(table, columns, LABELS if kind in ("classification", "multilabel") else (), kind)


@pytest.fixture
def recorded(tmp_path: Path) -> Read:
    """``recorded("ranking", [1, 2, 3])``: the answers to a, b and c, written as JSONL and read back."""

    def read(kind: str, prediction: list[Any], **columns: Any) -> Answers:
        path = tmp_path / "student.jsonl"
        table = {"id": ["a", "b", "c"], "prediction": prediction, **columns}
        lines = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return read_recorded(path, "student", "id", held_out(kind), LABELS)

    return read


@pytest.mark.parametrize(
    ("kind", "prediction", "answers"),
    [
        ("classification", ["bad", "good", "good"], [0, 1, 1]),
        ("multilabel", ["good|bad", "", "good"], ["bad|good", "", "good"]),
        ("multilabel", [["good", "bad"], [], ["good"]], ["bad|good", "", "good"]),
        ("generation", [" Paris\n", "", "Rome"], ["Paris", "", "Rome"]),
        ("ranking", [0.5, -3, 7], [0.5, -3.0, 7.0]),
    ],
)
def test_answers_come_back_in_the_form_of_their_kind(
    kind: str, prediction: list[Any], answers: list[Any], recorded: Read
) -> None:
    read = recorded(kind, prediction)
    assert read.predicted.tolist() == answers
    assert read.probabilities is None


@pytest.mark.parametrize("kind", ["classification", "multilabel", "generation", "ranking"])
def test_nobody_knows_how_many_texts_a_recorded_model_saw_cut(kind: str, recorded: Read) -> None:
    answers = {"ranking": [1, 2, 3]}.get(kind, ["good", "bad", "good"])
    assert recorded(kind, answers).truncated is None


@pytest.mark.parametrize("kind", ["classification", "generation", "ranking"])
def test_a_missing_answer_makes_the_pairing_incomplete(kind: str, recorded: Read) -> None:
    first = 1 if kind == "ranking" else "good"
    with pytest.raises(
        InvalidComparison,
        match=r"pairing incomplete: student.recorded has an empty prediction in 2 of 3 held-out rows \(first: b\)",
    ):
        recorded(kind, [first, None, None])


def test_a_missing_id_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "student.csv"
    path.write_text("id,prediction\na,good\n,bad\nc,good\n")
    with pytest.raises(DataError, match=r"student.recorded column 'id' is empty in 1 rows; give each row its id"):
        read_recorded(path, "student", "id", held_out("classification"), LABELS)


class TestMultilabel:
    def test_refuses_a_label_that_the_task_does_not_have_by_id(self, recorded: Read) -> None:
        with pytest.raises(
            DataError, match=r"student.recorded column 'prediction' holds 'odd', and task.labels .*\(id b\)"
        ):
            recorded("multilabel", ["good", "odd", ""])

    def test_refuses_answers_that_are_all_missing(self, recorded: Read) -> None:
        with pytest.raises(DataError, match="is empty in every row"):
            recorded("multilabel", [None, None, None])

    def test_probabilities_are_independent(self, recorded: Read) -> None:
        read = recorded("multilabel", ["good|bad", "", ""], probability_bad=[1, 0, 0.2], probability_good=[1, 0, 0.9])
        np.testing.assert_array_equal(read.probabilities, np.array([[1, 1], [0, 0], [0.2, 0.9]], dtype=np.float32))

    @pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan, math.inf, None])
    def test_probabilities_lie_from_0_to_1(self, wrong: float | None, recorded: Read) -> None:
        with pytest.raises(DataError, match=r"probabilities of 1 rows are not finite or not from 0 to 1 \(first: id b"):
            recorded("multilabel", ["", "good", ""], probability_bad=[0, wrong, 0], probability_good=[0, 0, 0])


class TestClassification:
    """An answer that its own probabilities speak against belongs to another model, or to another row."""

    @pytest.mark.parametrize("good", [0.4, 0.499, 0.5 - 1e-6])
    def test_that_contradicts_its_probabilities_is_refused_by_id(self, good: float, recorded: Read) -> None:
        with pytest.raises(
            DataError,
            match=r"student.recorded: 1 predictions contradict their own probabilities \(first: id b answers good, "
            r"likeliest is bad\); correct them, or leave the probability columns out",
        ):
            recorded("classification", ["good"] * 3, probability_bad=[0, 1 - good, 0], probability_good=[1, good, 1])

    @pytest.mark.parametrize("good", [0.5, 0.5 - 4e-7, 0.5 + 4e-7])
    def test_may_be_either_label_of_a_tie(self, good: float, recorded: Read) -> None:
        for answer in ("good", "bad"):
            read = recorded(
                "classification",
                ["good", answer, "good"],
                probability_bad=[0, 1 - good, 0],
                probability_good=[1, good, 1],
            )
            assert read.predicted[1] == LABELS.index(answer)


class TestRanking:
    @pytest.mark.parametrize(
        ("score", "message"),
        [
            (math.inf, r"column 'prediction' holds 'inf', which is not finite \(id b\)"),
            ("high", r"column 'prediction' holds 'high', which is not a number \(id b\)"),
            (True, r"column 'prediction' holds 'True', which is not a number \(id b\)"),
        ],
    )
    def test_scores_are_finite_numbers(self, score: object, message: str, recorded: Read) -> None:
        with pytest.raises(DataError, match=message):
            recorded("ranking", [1.0, score, 2.0])

    def test_a_score_that_is_not_a_number_is_a_missing_one(self, recorded: Read) -> None:
        with pytest.raises(InvalidComparison, match=r"pairing incomplete.*\(first: b\)"):
            recorded("ranking", [1.0, math.nan, 2.0])


@pytest.mark.parametrize("kind", ["classification", "multilabel", "generation", "ranking"])
def test_the_aligned_table_shows_truth_and_answers_and_can_be_written_and_read_back(
    kind: str, recorded: Read, tmp_path: Path
) -> None:
    given = {"ranking": [1.5, 2, 3]}.get(kind, ["good", "bad", "good"])
    shown = {"ranking": [1.5, 2.0, 3.0]}.get(kind, given)
    truth = {
        "classification": ["good", "bad", "good"],
        "multilabel": ["bad|good", "", "good"],
        "generation": ["Paris", "Rome", "42"],
        "ranking": [2.0, 0.0, 1.0],
    }[kind]
    answers = recorded(kind, given)
    aligned_table(held_out(kind), LABELS, answers, answers).to_parquet(tmp_path / "predictions.parquet", index=False)
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert table["row_id"].tolist() == ["a", "b", "c"]
    assert table["row_label"].tolist() == truth
    assert table["teacher"].tolist() == table["student"].tolist() == shown
    assert table["q"].tolist() == ["x"] * 3


def test_a_column_of_several_types_is_kept_as_text_so_that_the_table_can_be_written(tmp_path: Path) -> None:
    values = [1, "1", None, [2], {"a": 3}]
    table = pd.DataFrame({"id": range(5), "text": "t", "label": "good", "odd": pd.Series(values, dtype=object)})
    rows = held_out_rows(table, Columns(), LABELS)
    answers = Answers(predicted=np.zeros(5, dtype=np.int64), probabilities=None, truncated=None)
    aligned_table(rows, LABELS, answers, answers).to_parquet(tmp_path / "predictions.parquet")
    read = pd.read_parquet(tmp_path / "predictions.parquet")["odd"]
    assert read.fillna("nothing").tolist() == ["1", "1", "nothing", "[2]", "{'a': 3}"]


@pytest.mark.parametrize("given", [True, False], ids=["probabilities", "no probabilities"])
@pytest.mark.parametrize("own", ["teacher_probability_good", "student_probability_bad", "@label", "@equal_texts"])
def test_a_column_of_the_held_out_table_never_stands_for_what_a_model_says(own: str, given: bool) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "text": "t", "label": "good", "row_label": "x", "other": 1})
    rows = held_out_rows(table, Columns(), LABELS)
    rows = dataclasses.replace(rows, table=rows.table.assign(**{own: 0.25}))
    probabilities = np.full((2, 2), 0.5, dtype=np.float32) if given else None
    answers = Answers(predicted=np.zeros(2, dtype=np.int64), probabilities=probabilities, truncated=None)
    aligned = aligned_table(rows, LABELS, answers, answers)
    assert aligned["row_label"].tolist() == ["good", "good"]
    assert aligned["other"].tolist() == [1, 1]
    if given and "probability" in own:
        assert aligned[own].tolist() == [0.5, 0.5]
    else:
        assert own not in aligned.columns
