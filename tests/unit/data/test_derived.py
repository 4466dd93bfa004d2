"""Groups by what evalkit computes: length, label, answer and confidence."""

from __future__ import annotations

import pandas as pd
import pytest

from evalkit.data.dataset import held_out_rows, held_out_units
from evalkit.data.subpopulations import Group, groups, groups_before_predictions
from evalkit.errors import DataError
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import Subpopulation

LABELS = ("bad", "good")
ALIGNED = pd.DataFrame(
    {
        "row_id": list("abcd"),
        "row_label": ["good", "bad", "good", "good"],
        "teacher": ["good", "good", "good", "bad"],
        "student": ["good", "bad", "bad", "bad"],
        "teacher_probability_bad": [0.1, 0.4, 0.0, 0.7],
        "teacher_probability_good": [0.9, 0.6, 1.0, 0.3],
        "student_probability_bad": [0.2, 0.9, 0.6, 0.5],
        "student_probability_good": [0.8, 0.1, 0.4, 0.5],
        "text": ["a", "bbbb", "cc", "ddd"],
    }
)
UNITS = ALIGNED[["row_id", "row_label", "text"]]


def members(*by: object, table: pd.DataFrame = ALIGNED, **task: object) -> dict[str, list[int]]:
    spec = [Subpopulation.model_validate(each) for each in by]
    found: tuple[Group, ...] = groups(table, spec, 0.08, **{"labels": LABELS, **task})  # type: ignore[arg-type]
    return {group.name: group.rows.tolist() for group in found}


def test_text_length_is_cut_into_quartiles_of_characters() -> None:
    assert members("@text_length") == {
        "@text_length=<2": [0],
        "@text_length=[2, 3)": [2],
        "@text_length=[3, 4)": [3],
        "@text_length=≥4": [1],
    }


def test_characters_are_counted_not_bytes() -> None:
    table = UNITS.assign(text=["ä", "aa", "日本語", "😀😀😀😀"])
    assert list(members({"columns": "@text_length", "bins": [2, 3, 4]}, table=table).values()) == [[0], [1], [2], [3]]


def test_text_length_may_have_bins_or_quantiles_of_its_own() -> None:
    assert members({"columns": "@text_length", "bins": [3]}) == {"@text_length=<3": [0, 2], "@text_length=≥3": [1, 3]}
    assert members({"columns": "@text_length", "quantiles": 2}) == {
        "@text_length=<3": [0, 2],
        "@text_length=≥3": [1, 3],
    }


def test_the_text_may_have_another_name() -> None:
    table = UNITS.rename(columns={"text": "body"})
    assert len(members("@text_length", table=table, columns=Columns(text="body"))) == 4


def test_rows_are_grouped_by_their_label_and_by_the_teachers_answer() -> None:
    assert members("@label", "@teacher_answer") == {
        "@label=bad": [1],
        "@label=good": [0, 2, 3],
        "@teacher_answer=bad": [3],
        "@teacher_answer=good": [0, 1, 2],
    }


def test_confidence_is_the_highest_probability_that_a_model_gives() -> None:
    by = [{"columns": f"@{role}_confidence", "bins": [0.65]} for role in ("teacher", "student")]
    assert members(*by) == {
        "@teacher_confidence=<0.65": [1],
        "@teacher_confidence=≥0.65": [0, 2, 3],
        "@student_confidence=<0.65": [2, 3],
        "@student_confidence=≥0.65": [0, 1],
    }


def test_confidence_is_cut_into_quartiles_where_nothing_else_is_said() -> None:
    assert list(members("@student_confidence").values()) == [[3], [2], [0], [1]]


def test_derived_columns_cross_with_others() -> None:
    assert members(["@label", "@teacher_answer"]) == {
        "@label=bad, @teacher_answer=good": [1],
        "@label=good, @teacher_answer=bad": [3],
        "@label=good, @teacher_answer=good": [0, 2],
    }


def test_before_the_models_have_answered_the_groupings_that_need_answers_are_left_out() -> None:
    by = [Subpopulation(columns=(each,)) for each in ("@label", "@teacher_answer", "@student_confidence")]
    crossed = Subpopulation(columns=("@label", "@teacher_confidence"))
    assert [group.name for group in groups_before_predictions(UNITS, [*by, crossed], 0.08)] == [
        "@label=bad",
        "@label=good",
    ]


@pytest.mark.parametrize("column", ["@teacher_answer", "@teacher_confidence", "@student_confidence"])
def test_groups_by_answers_that_are_not_there_are_refused(column: str) -> None:
    with pytest.raises(DataError, match=f"{column} is known only once the (teacher|student) has answered"):
        members(column, table=UNITS)


def test_groups_by_confidence_without_probabilities_are_refused() -> None:
    bare = ALIGNED.drop(columns=["student_probability_bad"])
    assert members("@teacher_confidence", table=bare)
    with pytest.raises(DataError, match="@student_confidence needs the student's probabilities; record a probability_"):
        members("@student_confidence", table=bare)


@pytest.mark.parametrize("kind", ["generation", "ranking"])
@pytest.mark.parametrize("column", ["@label", "@teacher_answer", "@teacher_confidence"])
def test_tasks_without_labels_have_no_groups_by_label_answer_or_confidence(kind: str, column: str) -> None:
    with pytest.raises(DataError, match=f"{column} needs labels, and task.kind {kind} has none; leave it out"):
        members(column, kind=kind)


def test_in_multilabel_a_label_set_is_a_group() -> None:
    table = pd.DataFrame({"id": [1, 2, 3], "text": "t", "label": ["b|a", "", "a|b"]})
    units = held_out_units(held_out_rows(table, Columns(), ("a", "b"), "multilabel"), Columns())
    assert members("@label", table=units, kind="multilabel", labels=("a", "b")) == {
        "@label=(empty)": [1],
        "@label=a|b": [0, 2],
    }


def test_text_length_in_ranking_is_that_of_the_query_or_refused() -> None:
    columns = Columns(query="q", text="question", label="relevance")
    items = pd.DataFrame(
        {"id": range(4), "q": ["x", "x", "y", "y"], "question": ["aa", "aa", "b", "b"], "relevance": [1, 0, 0, 1]}
    )
    by = {"columns": "@text_length", "bins": [2]}
    units = held_out_units(held_out_rows(items, columns, (), "ranking"), columns)
    assert members(by, table=units, kind="ranking", columns=columns) == {
        "@text_length=<2": [1],
        "@text_length=≥2": [0],
    }
    items["question"] = ["aa", "a", "b", "b"]
    units = held_out_units(held_out_rows(items, columns, (), "ranking"), columns)
    with pytest.raises(DataError, match="@text_length cannot be computed, items of one query have different texts"):
        members(by, table=units, kind="ranking", columns=columns)
