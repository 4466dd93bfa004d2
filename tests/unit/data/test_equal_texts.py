"""Held-out rows that repeat the text of another row."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.data.equal_texts import Repeats, repeats, text_numbers
from evalkit.data.leakage import leakage, normalised

TRUTH = np.array(["good", "good", "bad", "good", "good"], dtype=object)
NUMBERS = text_numbers(["one", "two", "One", "ONE ", "two"])


def test_equal_texts_have_one_number_in_the_order_in_which_they_appear() -> None:
    assert NUMBERS is not None
    assert NUMBERS.tolist() == [0, 1, 0, 0, 1]


def test_there_are_no_numbers_where_no_two_texts_are_equal() -> None:
    assert text_numbers(["one", "two", "one."]) is None
    assert text_numbers([]) is None


@given(st.lists(st.text("aA bß\u00a0", max_size=3), max_size=12))
def test_two_texts_have_one_number_where_leakage_takes_them_for_one(texts: list[str]) -> None:
    found = text_numbers(texts)
    numbers = list(range(len(texts))) if found is None else found.tolist()
    for one, number in zip(texts, numbers, strict=True):
        for other, another in zip(texts, numbers, strict=True):
            assert (number == another) == bool(leakage([one], [other]).leaked)
    assert (found is None) == (len({normalised(text) for text in texts}) == len(texts))


@pytest.mark.parametrize(
    ("clusters", "apart"),
    [
        pytest.param(None, 0, id="none stated"),
        pytest.param(["u", "v", "u", "w", "v"], 1, id="one row in another cluster than the first of its text"),
        pytest.param([None, "v", None, None, "v"], 0, id="rows without a cluster share one"),
        pytest.param([1, 2, 3, 4, 5], 3, id="every row its own"),
    ],
)
def test_repeats_are_counted_beyond_the_first_row_of_each_text(clusters: list[object] | None, apart: int) -> None:
    stated = None if clusters is None else pd.Series(clusters)
    assert repeats(NUMBERS, TRUTH, stated) == Repeats(held_out=5, repeated=3, labelled_otherwise=1, apart=apart)


def test_nothing_repeats_where_all_texts_differ() -> None:
    assert repeats(None, TRUTH, pd.Series("u", index=range(5))) == Repeats(
        held_out=5, repeated=0, labelled_otherwise=0, apart=0
    )


@pytest.mark.slow
def test_a_million_different_texts_are_compared_in_seconds() -> None:
    texts = [f"turn on the lights in the kitchen of house number {number}" for number in range(1_000_000)]
    started = time.perf_counter()
    assert text_numbers(texts) is None
    assert time.perf_counter() - started < 5
