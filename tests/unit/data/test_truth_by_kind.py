"""Held-out rows of multilabel, generation and ranking: what is right in each, or why it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.data.dataset import NO_LABEL, Rows, held_out_rows, held_out_units, training_rows
from evalkit.errors import DataError
from evalkit.spec.gate import Columns

TOPICS = ("sport", "politics", "art")
RANKED = Columns(query="query", label="relevance")


def of(kind: str, columns: Columns | None = None, labels: tuple[str, ...] = (), **table: Any) -> Rows:
    n = len(next(iter(table.values())))
    return held_out_rows(
        pd.DataFrame({"id": range(n), "text": "t", **table}).convert_dtypes(), columns or Columns(), labels, kind
    )


def test_classification_shows_the_label_itself() -> None:
    rows = of("classification", labels=("bad", "good"), label=["good", "bad"])
    assert (rows.truth.tolist(), rows.labels.tolist(), rows.kind) == (["good", "bad"], [1, 0], "classification")


class TestMultilabel:
    def test_shows_the_labels_of_each_row_in_the_order_of_the_task(self) -> None:
        rows = of("multilabel", labels=TOPICS, label=["art|sport", "politics", ""])
        assert (rows.truth.tolist(), set(rows.labels.tolist())) == (["sport|art", "politics", ""], {NO_LABEL})

    @pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
    def test_reads_lists(self, suffix: str, written: Callable[..., Any]) -> None:
        from evalkit.data.reading import read_table

        table = read_table(written(suffix, id=[1, 2], text=["t", "t"], label=[["art", "sport"], []]), "data.held_out")
        assert held_out_rows(table, Columns(), TOPICS, "multilabel").truth.tolist() == ["sport|art", ""]

    def test_names_column_row_and_label_where_one_is_unknown(self) -> None:
        with pytest.raises(
            DataError, match=r"data.held_out column 'label' holds 'art\|opera', and task.labels does not .*\(row 1\)"
        ):
            of("multilabel", labels=TOPICS, label=["art", "art|opera"])

    def test_refuses_a_label_named_twice(self) -> None:
        with pytest.raises(DataError, match="which names art twice"):
            of("multilabel", labels=TOPICS, label=["art|art"])


class TestGeneration:
    def test_shows_the_reference_text_without_spaces_at_its_ends(self) -> None:
        assert of("generation", label=[" Paris\n", "42"]).truth.tolist() == ["Paris", "42"]

    @pytest.mark.parametrize("empty", [None, "", " \n"], ids=repr)
    def test_refuses_a_row_without_a_reference(self, empty: str | None) -> None:
        with pytest.raises(DataError, match=r"'label' has no reference text in 1 rows \(first: row 1\); give each row"):
            of("generation", label=["Paris", empty])

    def test_takes_numbers_for_the_texts_that_they_read_as(self) -> None:
        assert of("generation", label=[4, 2]).truth.tolist() == ["4", "2"]


class TestRanking:
    def test_shows_the_relevance_as_a_number(self) -> None:
        rows = of("ranking", RANKED, relevance=["2", "0.5"], query=["a", "a"])
        assert (rows.truth.dtype, rows.truth.tolist()) == (np.dtype(np.float64), [2.0, 0.5])

    @pytest.mark.parametrize(
        ("relevance", "message"),
        [
            (-1, r"'relevance' holds -1 in row 1; the relevance of an item is a number of at least 0"),
            (None, r"'relevance' is missing in row 1; the relevance"),
            (math.inf, r"'relevance' holds 'inf', which is not finite \(row 1\)"),
            ("high", r"'relevance' holds 'high', which is not a number \(row 1\)"),
        ],
    )
    def test_refuses_a_relevance_that_is_none(self, relevance: object, message: str) -> None:
        with pytest.raises(DataError, match=message):
            of("ranking", RANKED, relevance=[1, relevance], query=["a", "a"])

    @pytest.mark.parametrize("query", [None, "", "  "], ids=repr)
    def test_refuses_an_item_without_a_query(self, query: str | None) -> None:
        with pytest.raises(DataError, match=r"data.held_out column 'query' is empty in 1 rows \(first: row 2\); say"):
            of("ranking", RANKED, relevance=[1, 0, 0], query=["a", "a", query])

    def test_refuses_a_table_without_the_query_column(self) -> None:
        with pytest.raises(DataError, match=r"data.held_out has no column 'query'"):
            of("ranking", RANKED, relevance=[1, 0])

    def test_refuses_queries_of_a_single_item_and_names_the_first(self) -> None:
        with pytest.raises(
            DataError, match=r"2 of 3 queries have a single item \(first: query b\), so every ranking of theirs is"
        ):
            of("ranking", RANKED, relevance=[1, 0, 1, 1], query=["a", "a", "b", "c"])

    def test_refuses_queries_without_a_relevant_item_and_names_the_first(self) -> None:
        with pytest.raises(DataError, match=r"1 of 2 queries have no relevant item .*\(first: query b\)"):
            of("ranking", RANKED, relevance=[1, 0, 0, 0], query=["a", "a", "b", "b"])

    def test_refuses_queries_whose_items_are_all_as_relevant_and_names_the_first(self) -> None:
        wanted = (
            r"2 of 3 queries have items of one relevance only \(first: query b\), so every ranking .* leave them out"
        )
        with pytest.raises(DataError, match=wanted):
            of("ranking", RANKED, relevance=[1, 2, 3, 3, 0.5, 0.5], query=["a", "a", "b", "b", "c", "c"])

    @pytest.mark.parametrize("relevance", [1e308, 1.001e9, 9e-10, 5e-324])
    def test_refuses_a_relevance_whose_sums_a_double_cannot_hold(self, relevance: float) -> None:
        with pytest.raises(DataError, match=r"'relevance' holds .* in row 2; a relevance is 0 or from 1e-09 to 1e\+09"):
            of("ranking", RANKED, relevance=[1, 0, relevance, 0], query=["a", "a", "b", "b"])

    @pytest.mark.parametrize("relevance", [1e9, 1e-9])
    def test_takes_the_largest_and_the_smallest_relevance(self, relevance: float) -> None:
        assert of("ranking", RANKED, relevance=[relevance, 0], query=["a", "a"]).truth.tolist() == [relevance, 0]

    def test_refuses_a_query_that_lies_in_two_clusters(self) -> None:
        spec = Columns(query="query", label="relevance", cluster="user")
        table = {"relevance": [1, 0, 1, 0], "query": ["a", "a", "b", "b"]}
        assert len(of("ranking", spec, **table, user=["u", "u", None, None])) == 4
        with pytest.raises(DataError, match="items of one query lie in different clusters of 'user'"):
            of("ranking", spec, **table, user=["u", "u", "u", "v"])

    def test_takes_a_query_that_is_a_number_and_its_text_for_one(self) -> None:
        table = pd.DataFrame({"id": [1, 2], "text": "t", "relevance": [1, 0], "query": [7, "7"]}, dtype=object)
        units = held_out_units(held_out_rows(table, RANKED, (), "ranking"), RANKED)
        assert units["row_id"].tolist() == ["7"]

    def test_ids_are_those_of_items_and_may_not_repeat(self) -> None:
        with pytest.raises(DataError, match="duplicate ids"):
            of("ranking", RANKED, id=["x", "x"], relevance=[1, 0], query=["a", "a"])


@pytest.mark.parametrize("name", ["row_id", "row_label", "teacher", "student", "@equal_texts", "@text_length"])
@pytest.mark.parametrize("role", ["text", "cluster", "query"])
def test_a_column_that_the_predictions_table_would_replace_is_refused(name: str, role: str) -> None:
    with pytest.raises(DataError, match=f"the {role} column '{name}' has a name that the predictions table uses"):
        held_out_rows(
            pd.DataFrame({"id": [1], "text": "t", "label": "good", name: "x"}),
            Columns(**{role: name}),
            ("good", "bad"),
        )


@pytest.mark.parametrize(
    ("kind", "labels", "label"), [("classification", ("good", "bad"), "good"), ("generation", (), "x")]
)
@pytest.mark.parametrize(
    ("name", "model"), [("teacher_probability_good", "teacher"), ("student_probability_x", "student")]
)
def test_a_column_named_like_a_models_probabilities_is_refused(
    kind: str, labels: tuple[str, ...], label: str, name: str, model: str
) -> None:
    table = pd.DataFrame({"id": [1], "text": "t", "label": label, name: 0.5})
    wanted = rf"column '{name}', .* what the {model} itself says; rename it\. .* in {model}\.recorded, as probability_"
    with pytest.raises(DataError, match=wanted):
        held_out_rows(table, Columns(), labels, kind)
    assert len(training_rows(table, Columns(), labels, kind)) == 1, "nothing is judged on training rows"


class TestUnits:
    def test_are_the_rows_with_their_label(self) -> None:
        rows = of("multilabel", labels=TOPICS, label=["art|sport", ""], channel=["x", "y"])
        units = held_out_units(rows, Columns())
        assert units[["row_id", "row_label", "channel", "text"]].to_numpy().tolist() == [
            ["0", "sport|art", "x", "t"],
            ["1", "", "y", "t"],
        ]

    def test_of_ranking_are_queries_with_what_all_their_items_share(self) -> None:
        rows = of(
            "ranking",
            RANKED,
            relevance=[0, 1, 1, 0],
            query=["b", "a", "b", "a"],
            market=["de", None, "de", None],
            source=["x", "y", "z", "y"],
        )
        units = held_out_units(rows, RANKED)
        assert units["row_id"].tolist() == ["b", "a"]
        assert units["market"].isna().tolist() == [False, True]
        assert set(units.columns) == {"row_id", "row_label", "query", "market", "text"}


@pytest.mark.parametrize("kind", ["multilabel", "generation", "ranking"])
def test_training_rows_of_tasks_that_are_not_trained_need_only_a_text(kind: str) -> None:
    rows = training_rows(pd.DataFrame({"text": ["a", "b"]}), RANKED, (), kind)
    assert (rows.texts, rows.labels.tolist()) == (("a", "b"), [NO_LABEL, NO_LABEL])
