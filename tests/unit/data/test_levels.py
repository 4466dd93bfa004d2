"""The distinct values of a column, each once, named and in order."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from evalkit.data.levels import MOST_GROUPS, levels_of
from evalkit.errors import DataError


def by_row(values: list[object], dtype: object = object) -> list[str]:
    found = levels_of(pd.Series(values, dtype=dtype), "n")
    return [found.names[code] for code in found.codes]


def test_missing_stands_first_then_numbers_by_size_then_words() -> None:
    found = levels_of(pd.Series(["b", "10", None, "9", "a", "-1"]), "n")
    assert found.names == ("(missing)", "-1", "9", "10", "a", "b")


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity", "NaN"])
def test_words_that_float_takes_for_numbers_do_not_upset_the_order(word: str) -> None:
    assert levels_of(pd.Series(["10", word, "9"]), "n").names == ("9", "10", word)


def test_a_number_and_the_text_of_it_are_one_level() -> None:
    assert levels_of(pd.Series([1, "1", 2], dtype=object), "n").names == ("1", "2")


def test_values_that_python_holds_equal_but_that_read_differently_stay_apart() -> None:
    assert by_row([True, 1, 1.0, "1"]) == ["True", "1", "1.0", "1"]


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA])
@pytest.mark.parametrize("value", ["a", 1, True, 1.5])
def test_every_kind_of_nothing_is_missing(missing: object, value: object) -> None:
    assert by_row([value, missing]) == [str(value), "(missing)"]


def test_an_empty_text_has_a_name_that_can_be_seen() -> None:
    assert by_row(["", "  ", "a"]) == ["(empty)", "(empty)", "a"]


def test_categories_are_grouped_by_their_values() -> None:
    assert by_row([3, 1, None], dtype="category") == ["3", "1", "(missing)"]


@pytest.mark.parametrize("values", [[["a"], ["b"]], [{"a": 1}], ["a", ["b"]], [np.array([1, 2])]], ids=repr)
def test_lists_and_objects_are_refused(values: list[object]) -> None:
    with pytest.raises(DataError, match="subpopulations: n holds lists or objects; give one value a row"):
        levels_of(pd.Series(values, dtype=object), "n")


def test_too_many_values_are_refused_before_they_are_named() -> None:
    with pytest.raises(DataError, match=r"n splits 20,001 rows into 20,001 groups; at most 20,000"):
        levels_of(pd.Series(np.arange(MOST_GROUPS + 1)), "n")
    assert len(levels_of(pd.Series(np.arange(MOST_GROUPS)), "n").names) == MOST_GROUPS
