"""Cells of labels: one way of writing for one set, whatever the format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from evalkit.data.label_sets import label_sets
from evalkit.data.reading import read_table
from evalkit.errors import DataError

LABELS = ("sport", "politics", "art")


def read(values: list[object]) -> list[str]:
    return label_sets(pd.Series(values, dtype=object), LABELS, "labels").tolist()


def test_labels_stand_in_the_order_of_the_task_whatever_the_order_of_the_cell() -> None:
    assert read(["art|sport", "sport|art", "politics"]) == ["sport|art", "sport|art", "politics"]


def test_spaces_around_a_label_do_not_count() -> None:
    assert read([" art | sport "]) == ["sport|art"]


def test_an_empty_cell_holds_no_label_in_every_format(suffix: str, written: Callable[..., Path]) -> None:
    table = read_table(written(suffix, labels=["art|sport", ""]), "data.held_out")
    assert label_sets(table["labels"], LABELS, "labels").tolist() == ["sport|art", ""]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_lists_are_read_like_texts(suffix: str, written: Callable[..., Path]) -> None:
    table = read_table(written(suffix, labels=[["art", "sport"], [], ["politics"]]), "data.held_out")
    assert label_sets(table["labels"], LABELS, "labels").tolist() == ["sport|art", "", "politics"]


@pytest.mark.parametrize("cell", ["sport|opera", ["sport", "opera"], "sport|", "sport||art", ["sport|art"]], ids=repr)
def test_a_label_that_the_task_does_not_have_is_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"labels holds '.*', and task.labels does not name '.*'; .* \(row 1\)"):
        read(["art", cell])


@pytest.mark.parametrize("cell", ["art|sport|art", ["art", "sport", "art"]], ids=repr)
def test_a_label_that_stands_twice_is_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"'art\|sport\|art', which names art twice; name each label once \(row 1\)"):
        read(["sport", cell])


def test_a_column_without_any_label_is_refused() -> None:
    with pytest.raises(DataError, match="labels is empty in every row; give each row its labels"):
        read([None, None])


@pytest.mark.parametrize("none", ["", []], ids=repr)
def test_a_missing_cell_is_refused_where_other_rows_say_that_they_have_no_label(none: object) -> None:
    with pytest.raises(DataError, match=r"labels is missing in 1 rows \(first: row 2\) though other rows say"):
        read(["art", none, None])


def test_a_column_of_which_nobody_has_any_label_may_say_so() -> None:
    assert read(["", ""]) == ["", ""]


def test_numbers_may_be_labels() -> None:
    assert label_sets(pd.Series([1, None, 2], dtype="Int64"), ("1", "2"), "labels").tolist() == ["1", "", "2"]
