"""Recorded tables that cannot be right are refused with a message, whatever the format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.dataset import Rows, held_out_rows
from evalkit.errors import DataError, EvalkitError, InvalidComparison
from evalkit.predictions.aligned import Answers, aligned_table
from evalkit.predictions.recorded import read_recorded
from evalkit.quality.paired_gap import GAP, paired_measurements
from evalkit.spec.gate import Columns
from evalkit.stats.interval import Estimate

LABELS = ("bad", "good")
Read = Callable[..., Answers]


def held_out(ids: list[str]) -> Rows:
    table = pd.DataFrame({"id": ids, "text": [f"text {each}" for each in ids], "label": "good"})
    return held_out_rows(table, Columns(), LABELS)


@pytest.fixture(params=["csv", "parquet", "jsonl"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Read:
    """Predictions for the rows 007 and 8, written in each format and read back."""

    def read(**columns: Any) -> Answers:
        table, path = pd.DataFrame(columns), tmp_path / f"student.{request.param}"
        match request.param:
            case "csv":
                table.to_csv(path, index=False)
            case "parquet":
                table.to_parquet(path, index=False)
            case _:
                table.to_json(path, orient="records", lines=True)
        return read_recorded(path, "student", "id", held_out(["007", "8"]), LABELS)

    return read


def test_ids_with_leading_zeros_find_their_rows(recorded: Read) -> None:
    answers = recorded(id=["8", "007"], prediction=["bad", "good"])
    assert answers.predicted.tolist() == [1, 0]


def test_probabilities_come_back_as_they_were_written(recorded: Read) -> None:
    answers = recorded(
        id=["8", "007"], prediction=["bad", "good"], probability_bad=[0.75, 0.5], probability_good=[0.25, 0.5]
    )
    assert answers.probabilities is not None
    np.testing.assert_array_equal(answers.probabilities, [[0.5, 0.5], [0.75, 0.25]])


def test_an_answer_that_is_no_label_may_be_recorded_as_one(recorded: Read) -> None:
    answers = recorded(id=["8", "007"], prediction=["(outside)", "good"])
    assert answers.predicted.tolist() == [1, 2]
    good = Answers(predicted=np.array([1, 1]), probabilities=None, truncated=None)
    table = aligned_table(held_out(["007", "8"]), LABELS, good, answers)
    assert table["student"].tolist() == ["good", "(outside)"]


def test_another_word_that_is_no_label_is_refused_with_the_remedy(recorded: Read) -> None:
    with pytest.raises(
        DataError, match=r"answers Good, which .* write \(outside\) where that is what the model really"
    ):
        recorded(id=["8", "007"], prediction=["Good", "good"])


def test_probabilities_of_labels_contradict_an_answer_that_is_none(recorded: Read) -> None:
    with pytest.raises(DataError, match=r"student\.recorded has probabilities of the labels and 1 answers \(outside\)"):
        recorded(
            id=["8", "007"], prediction=["(outside)", "good"], probability_bad=[0.5, 0.5], probability_good=[0.5, 0.5]
        )


def test_a_missing_prediction_is_an_invalid_comparison(recorded: Read) -> None:
    with pytest.raises(
        InvalidComparison, match=r"student\.recorded has an empty prediction in 1 of 2 held-out rows \(first: 007\)"
    ):
        recorded(id=["8", "007"], prediction=["bad", None])


def test_a_missing_probability_is_refused_with_its_row(recorded: Read) -> None:
    with pytest.raises(DataError, match=r"probabilities of 1 rows are not finite.*\(first: id 8\)"):
        recorded(id=["8", "007"], prediction=["bad"] * 2, probability_bad=[None, 0.5], probability_good=[0.25, 0.5])


def test_probabilities_that_are_words_are_refused_by_name(recorded: Read) -> None:
    with pytest.raises(DataError, match=r"student\.recorded.*probabilit"):
        recorded(id=["8", "007"], prediction=["bad"] * 2, probability_bad=["low", "high"], probability_good=[0.2, 0.5])


@pytest.mark.parametrize("off", [0.0, 9e-4, -9e-4])
def test_probabilities_may_miss_one_by_rounding(off: float, recorded: Read) -> None:
    answers = recorded(
        id=["8", "007"], prediction=["bad"] * 2, probability_bad=[0.6 + off, 0.5], probability_good=[0.4, 0.5]
    )
    assert answers.probabilities is not None


def test_a_file_that_is_not_there_is_named_by_the_role(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"teacher\.recorded .*no\.csv does not exist"):
        read_recorded(tmp_path / "no.csv", "teacher", "id", held_out(["1"]), LABELS)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 1)), unique_by=lambda row: row[0], min_size=1), st.data())
def test_answers_follow_the_rows_whatever_the_order_of_both_files(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("recorded") / "student.csv"
    shuffled = data.draw(st.permutations(rows))
    table = pd.DataFrame({"id": [f"r{key}" for key, _ in shuffled], "prediction": [LABELS[a] for _, a in shuffled]})
    table.to_csv(path, index=False)
    answers = read_recorded(path, "student", "id", held_out([f"r{key}" for key, _ in rows]), LABELS)
    assert answers.predicted.tolist() == [answer for _, answer in rows]


def test_one_row_without_a_prediction_is_an_invalid_comparison_not_a_smaller_one(recorded: Read) -> None:
    with pytest.raises(InvalidComparison, match=r"no prediction for 1 of 2 held-out rows \(first: 007\)"):
        recorded(id=["8"], prediction=["bad"])


@pytest.mark.parametrize("name", ["teacher", "student", "row_label", "row_id"])
def test_a_cluster_column_with_a_name_of_ours_is_refused_or_kept_but_never_replaced_by_predictions(name: str) -> None:
    """In schools a column ``student`` names the pupil: the cluster, not the model that is judged."""
    rng = np.random.default_rng(0)
    pupils = np.repeat(np.arange(100), 5)
    teacher = np.ones(500, dtype=np.int64)
    student = np.where(rng.random(100) < 0.2, 0, 1)[pupils]

    def gap(cluster: str) -> Estimate:
        table = pd.DataFrame({"id": np.arange(500), "text": "t", "label": "good", cluster: pupils})
        rows = held_out_rows(table, Columns(cluster=cluster), LABELS)
        aligned = aligned_table(
            rows,
            LABELS,
            Answers(predicted=teacher, probabilities=None, truncated=0),
            Answers(predicted=student, probabilities=None, truncated=0),
        )
        return next(each.value for each in paired_measurements(aligned, (), cluster, 0.9) if each.name == GAP)

    try:
        found = gap(name)
    except EvalkitError as refusal:
        assert name in str(refusal)  # noqa: PT017 - either way out is right
    else:
        assert found == gap("pupil")
