"""A column is read as numbers, or the value that is none is named."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.data.numbers import numbers_of, short
from evalkit.data.reading import read_table
from evalkit.errors import DataError


def test_numbers_and_missing_values_come_back_from_every_format(suffix: str, written: Callable[..., Path]) -> None:
    table = read_table(written(suffix, age=[1.5, None, -3.0]), "data.held_out")
    np.testing.assert_array_equal(numbers_of(table["age"], "age"), [1.5, math.nan, -3.0])


@pytest.mark.parametrize(
    "values",
    [["1", "2.5", None], [1, "2.5", None], [Decimal(1), Decimal("2.5"), None], [np.float32(1), 2.5, math.nan]],
    ids=["texts", "mixed", "decimals", "floats"],
)
def test_whatever_reads_as_a_number_is_one(values: list[object]) -> None:
    np.testing.assert_array_equal(numbers_of(pd.Series(values, dtype=object), "age"), [1, 2.5, math.nan])


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("n/a", "not a number"),
        ("nan", "not a number"),
        ("1_000", "not a number"),
        ("1,000", "not a number"),
        ("", "not a number"),
        (True, "not a number"),
        (datetime.date(2026, 11, 1), "not a number"),
        (math.inf, "not finite"),
        ("-inf", "not finite"),
        ("1e999", "not finite"),
        (10**400, "not a number"),
    ],
)
def test_a_value_that_is_no_finite_number_is_named_with_its_row(value: object, what: str) -> None:
    column = pd.Series([4, None, value, value], dtype=object)
    with pytest.raises(DataError, match=rf"^age holds '.*', which is {what} \(row 2\); correct it, or leave"):
        numbers_of(column, "age")


@pytest.mark.parametrize("dtype", ["boolean", "bool"])
def test_a_column_of_booleans_is_no_column_of_numbers(dtype: str) -> None:
    with pytest.raises(DataError, match="age holds 'True', which is not a number"):
        numbers_of(pd.Series([True, False], dtype=dtype), "age")


def test_dates_are_no_numbers_even_where_pandas_counts_their_nanoseconds() -> None:
    with pytest.raises(DataError, match="which is not a number"):
        numbers_of(pd.Series(pd.to_datetime(["2026-11-01"])), "age")


def test_a_list_is_no_number() -> None:
    with pytest.raises(DataError, match="age holds lists or objects; give one value a row"):
        numbers_of(pd.Series([[1, 2]]), "age")


def test_entries_may_be_called_by_another_name_than_rows() -> None:
    with pytest.raises(DataError, match=r"\(id b\)"):
        numbers_of(pd.Series([1, math.inf], index=["a", "b"]), "score", "id")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_it_is_shown_is_the_number(value: float) -> None:
    assert float(short(value)) == value
