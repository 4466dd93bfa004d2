"""A query is right where the item on top is one of its best; other kinds are judged row by row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.dataset import held_out_rows, held_out_units
from evalkit.data.reading import read_table
from evalkit.data.subpopulations import groups
from evalkit.predictions.aligned import Answers, aligned_table
from evalkit.predictions.units import unit_table
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import Subpopulation

COLUMNS = Columns(query="query", label="relevance")


def items(*rows: tuple[str, float, float, float], **own: object) -> pd.DataFrame:
    """Rows of query, relevance, teacher's and student's score."""
    table = pd.DataFrame(rows, columns=["query", "row_label", "teacher", "student"])
    return table.assign(row_id=[f"item-{number}" for number in range(len(rows))], **own)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "generation"])
def test_rows_are_the_units_of_other_kinds(kind: str) -> None:
    table = pd.DataFrame({"row_label": ["a"], "teacher": ["a"], "student": ["b"]})
    assert unit_table(table, kind, None) is table


def test_a_query_is_right_where_the_item_scored_highest_has_its_highest_relevance() -> None:
    table = items(("b", 0, 0.1, 0.9), ("a", 1, 5.0, 5.0), ("b", 2, 0.7, 0.8), ("a", 3, 4.0, 6.0), ("b", 1, 0.6, 0.1))
    units = unit_table(table, "ranking", "query")
    assert units[["row_id", "row_label", "teacher", "student"]].to_numpy().tolist() == [
        ["b", "first", "first", "not first"],
        ["a", "first", "not first", "first"],
    ]


def test_any_of_several_best_items_may_stand_first() -> None:
    table = items(("a", 2, 1.0, 3.0), ("a", 2, 2.0, 1.0), ("a", 0, 0.0, 2.0))
    assert unit_table(table, "ranking", "query")[["teacher", "student"]].to_numpy().tolist() == [["first", "first"]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_equal_scores_count_against_the_model_whatever_the_order_of_the_table(order: list[int]) -> None:
    """A model that scores every item alike must not look right because the best item stands first in the file."""
    table = items(("a", 2, 1.0, 1.0), ("a", 1, 1.0, 0.5), ("a", 0, 1.0, 1.0)).iloc[order]
    assert unit_table(table, "ranking", "query")[["teacher", "student"]].to_numpy().tolist() == [
        ["not first", "not first"]
    ]


def test_columns_are_kept_where_all_items_of_each_query_agree() -> None:
    table = items(
        *[(query, relevance, 1.0, 1.0) for query in "ab" for relevance in (0, 1)],
        market=["de", "de", None, None],
        source=["x", "x", "x", "y"],
        tags=[["t"], ["t"], ["t"], ["t"]],
    )
    units = unit_table(table, "ranking", "query")
    assert units["market"].fillna("nothing").tolist() == ["de", "nothing"]
    assert list(units.columns) == ["row_id", "row_label", "teacher", "student", "query", "market"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_each_query_agrees_with_its_definition(rows: list[tuple[int, int, int]]) -> None:
    table = items(*[(str(query), relevance, score, -score) for query, relevance, score in rows])
    units = unit_table(table, "ranking", "query").set_index("row_id")
    for query, own in table.groupby("query"):
        for model in ("teacher", "student"):
            on_top = own[own[model] == own[model].max()]
            right = (on_top["row_label"] == own["row_label"].max()).all()
            assert units.loc[str(query), model] == ("first" if right else "not first")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_values_of_every_type_have_the_same_names_before_and_after_the_predictions(suffix: str, tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "text": ["a", "bb", "ccc", "dddd"],
        "label": ["yes", "no", "yes", "no"],
        "whole": [7, None, 9, 9],
        "fraction": [0.5, None, 2.0, 1.25],
        "flag": [True, False, None, True],
        "word": ["007", "NA", None, "x"],
        "day": ["2026-11-01", None, "2026-11-01", "x"],
    }
    path = tmp_path / f"held_out.{suffix}"
    table = pd.DataFrame({"id": list("wxyz"), **columns}).convert_dtypes()
    match suffix:
        case "csv":
            table.to_csv(path, index=False)
        case "parquet":
            table.to_parquet(path, index=False)
        case _:
            mixed = [{"id": row["id"], **row, "word": [1, "1", True, None][at]} for at, row in enumerate(_rows(table))]
            path.write_text("\n".join(json.dumps(row) for row in mixed))
    rows = held_out_rows(read_table(path, "data.held_out"), Columns(), ("yes", "no"))
    answers = Answers(predicted=np.zeros(4, dtype=np.int64), probabilities=None, truncated=None)
    aligned_table(rows, ("yes", "no"), answers, answers).to_parquet(tmp_path / "predictions.parquet", index=False)
    by: list[object] = ["whole", "flag", "word", "day", "@label", "@text_length", ["whole", "flag"]]
    by += [{"columns": "fraction", "bins": [1]}, {"columns": ["whole", "fraction"], "quantiles": {"fraction": 2}}]
    spec = [Subpopulation.model_validate(each) for each in by]
    before, after = (
        [(group.name, group.rows.tolist()) for group in groups(units, spec, 0.08)]
        for units in (held_out_units(rows, Columns()), pd.read_parquet(tmp_path / "predictions.parquet"))
    )
    assert before == after


def _rows(table: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def test_groups_before_and_after_the_predictions_are_the_same(tmp_path: Path) -> None:
    """What the plan counts is what the verdict judges, through a predictions.parquet written and read back."""
    rng = np.random.default_rng(0)
    queries = [f"q{number}" for number in rng.permutation(30).repeat(4)]
    market = pd.Series(queries).map({f"q{number}": ["de", "fr", None][number % 3] for number in range(30)})
    year = pd.Series(queries).map({f"q{number}": [1999, None, 2020][number % 3] for number in range(30)})
    table = pd.DataFrame(
        {
            "id": range(120),
            "text": "t",
            "query": queries,
            "relevance": np.tile([0, 1, 2, 3], 30),
            "market": market,
            "year": year.astype("Int64"),
        }
    )
    rows = held_out_rows(table, COLUMNS, (), "ranking")
    answers = [Answers(predicted=rng.random(120), probabilities=None, truncated=None) for _ in range(2)]
    aligned_table(rows, (), *answers).to_parquet(tmp_path / "predictions.parquet", index=False)
    aligned = unit_table(pd.read_parquet(tmp_path / "predictions.parquet"), "ranking", "query")
    by = [Subpopulation(columns=("market",)), Subpopulation(columns=("year", "market"))]
    before, after = (
        [(group.name, group.rows.tolist()) for group in groups(units, by, 0.08, columns=COLUMNS, kind="ranking")]
        for units in (held_out_units(rows, COLUMNS), aligned)
    )
    assert before == after
    assert [name for name, _ in before][:3] == ["market=(missing)", "market=de", "market=fr"]
    assert "year=1999, market=de" in [name for name, _ in before]
