"""A column becomes few values with readable names, or is left out for a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.quality.discovery.coding import MOST_VALUES, OTHER, Coded, Skipped, code_column, code_quartiles


def shown(coded):
    """Each row's value by name."""
    assert isinstance(coded, Coded), coded
    return [coded.values[code] for code in coded.codes]


def test_few_values_are_named_as_they_stand_and_a_missing_one_is_a_value():
    column = pd.Series(["b", None, "a", "b"], dtype="string")
    assert shown(code_column(column, "channel")) == ["b", "(missing)", "a", "b"]


def test_truth_values_and_few_numbers_are_values():
    assert set(shown(code_column(pd.Series([True, False, True]), "flag"))) == {"True", "False"}
    assert set(shown(code_column(pd.Series([1, 2, 3] * 5), "grade"))) == {"1", "2", "3"}


def test_of_many_words_the_rare_ones_are_pooled():
    words = [f"w{index}" for index in range(60) for _ in range(60 - index)]
    coded = code_column(pd.Series(words), "word")
    names = shown(coded)
    assert len(coded.values) == MOST_VALUES
    assert [name for word, name in zip(words, names, strict=True) if word == "w0"] == ["w0"] * 60
    assert {name for word, name in zip(words, names, strict=True) if int(word[1:]) > 30} == {OTHER}


@pytest.mark.parametrize("as_words", [False, True], ids=["numbers", "numbers in a CSV"])
def test_many_numbers_are_cut_at_quartiles_and_tails(as_words):
    numbers = pd.Series(np.tile(np.arange(100), 10))
    coded = code_column(numbers.astype("string") if as_words else numbers, "age")
    assert coded.values == ("<10", "[10, 25)", "[25, 50)", "[50, 75)", "[75, 90)", "≥90")
    assert np.bincount(coded.codes).tolist() == [100, 150, 250, 250, 150, 100]


def test_a_missing_number_is_a_bin_of_its_own():
    numbers = pd.Series([*np.linspace(0, 1, 101), np.nan, np.nan])
    coded = code_column(numbers, "score")
    assert [name for name in shown(coded) if name == "(missing)"] == ["(missing)"] * 2


def test_a_number_that_most_rows_share_is_not_split():
    numbers = pd.Series([0.0] * 900 + list(np.linspace(0.01, 1, 100)))
    coded = code_column(numbers, "share")
    first = coded.codes[0]
    assert (coded.codes == first).sum() == 900
    assert len(coded.values) > 1


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pd.Series([f"user {index}" for index in range(500)]), "nearly every row has its own value (500 values)"),
        (pd.Series(np.arange(500)), "nearly every row has its own value (500 values)"),
        (pd.Series(["x"] * 500), "it has one value only"),
        (pd.Series([None] * 500, dtype="string"), "it has one value only"),
        (pd.Series([["a"], ["b"]] * 250), "it holds lists"),
    ],
)
def test_what_says_nothing_of_kind_is_left_out_for_a_reason(column, reason):
    assert code_column(column, "column") == Skipped(column="column", reason=reason)


def test_fractions_are_binned_though_nearly_all_differ():
    assert isinstance(code_column(pd.Series(np.random.default_rng(0).random(500)), "score"), Coded)


@pytest.mark.parametrize("numbers", [np.zeros(50), np.full(50, np.nan), np.zeros(0)])
def test_quartiles_of_one_number_are_left_out(numbers):
    assert isinstance(code_quartiles(numbers, "@words"), Skipped)


def test_codes_number_the_values():
    for column in (pd.Series(list("abcab")), pd.Series([1.5, None, 2.5]), pd.Series(range(18, 90)) // 2):
        coded = code_column(column, "column")
        assert isinstance(coded, Coded)
        assert coded.codes.min() >= 0
        assert coded.codes.max() < len(coded.values)
