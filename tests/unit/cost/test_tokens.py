"""API prices by hand, and usage that is not what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cost.per_request import usd_per_million
from evalkit.cost.tokens import token_usd_per_million
from evalkit.cost.usage import Usage, read_usage, usage_of_answers
from evalkit.errors import DataError
from evalkit.spec.cost import TokenColumns, TokenPrices
from evalkit.stats.interval import Interval, NotEstimable
from tests.unit.cost.prices import price

COLUMNS = TokenColumns(input_tokens="i", output_tokens="o", cached_tokens="c", answered="ok")


def usage(given, output, cached=0.0, answered=1.0, times=50):
    parts = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in (given, output, cached, answered)))
    columns = [np.tile(np.atleast_1d(part), times) for part in parts]
    return Usage(input_tokens=columns[0], output_tokens=columns[1], cached_tokens=columns[2], answered=columns[3])


def measured(prices: TokenPrices, calls: Usage, level: float = 0.9) -> Interval:
    found = token_usd_per_million(prices, calls, level, np.random.default_rng(1))
    assert isinstance(found, Interval)
    return found


def test_a_call_costs_its_fresh_cached_and_output_tokens_at_their_own_prices():
    """(1,000 − 400) × 3 + 400 × 0.3 + 50 × 15 = 2,670 and, with 90 output tokens, 3,270 USD a million calls."""
    prices = TokenPrices(
        usd_per_million_input=3, usd_per_million_output=15, usd_per_million_cached=0.3, columns=COLUMNS
    )
    assert measured(prices, usage(1000, [50, 90], cached=400)).point == pytest.approx((2670 + 3270) / 2)


def test_a_batch_discount_is_taken_off_the_whole():
    plain = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    half = plain.model_copy(update={"batch_discount": 0.5})
    calls = usage([100, 300], 10)
    assert measured(plain, calls).point == pytest.approx(200 * 3 + 150)
    assert measured(half, calls).point == pytest.approx((200 * 3 + 150) / 2)


def test_calls_that_failed_are_paid_for_by_those_that_were_answered():
    """Four calls of 750 USD a million and three answers: 1,000 USD a million answers."""
    prices = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    calls = usage([100, 300, 100, 300], 10, answered=[1, 1, 1, 0])
    assert measured(prices, calls).point == pytest.approx(1000)


def test_the_interval_is_about_the_mean_of_the_calls():
    """For a mean of n calls BCa is close to ± z σ / √n: 1.645 × 300 / √400 = 24.7 about 750."""
    found = measured(TokenPrices(usd_per_million_input=3, usd_per_million_output=15), usage([100, 300], 10, times=200))
    assert (found.lower, found.upper) == pytest.approx((750 - 24.7, 750 + 24.7), abs=3)
    assert (found.n, found.level) == (400, 0.9)


def test_usage_that_never_varies_has_no_interval_and_is_not_taken_for_certain():
    prices = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    assert isinstance(token_usd_per_million(prices, usage(100, 10), 0.9, np.random.default_rng(1)), NotEstimable)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(0.01, 100))
def test_prices_twice_as_high_cost_twice_as_much(seed: int, given_usd: float, output_usd: float):
    rng = np.random.default_rng(seed)
    calls = usage(rng.integers(10, 500, 60), rng.integers(1, 50, 60), times=1)
    prices = TokenPrices(usd_per_million_input=given_usd, usd_per_million_output=output_usd)
    twice = TokenPrices(usd_per_million_input=2 * given_usd, usd_per_million_output=2 * output_usd)
    one, two = measured(prices, calls), measured(twice, calls)
    assert (two.point, two.lower, two.upper) == pytest.approx((2 * one.point, 2 * one.lower, 2 * one.upper))
    assert one.lower < one.point < one.upper


def test_a_price_by_the_token_takes_what_the_usage_came_to_and_is_unknown_without():
    api = price(tokens={"usd_per_million_input": 3, "usd_per_million_output": 15})
    charged = Interval(point=750, lower=700, upper=800, level=0.95, n=100, method="bootstrap")
    assert usd_per_million(api, charged=charged) == charged
    assert isinstance(usd_per_million(api), NotEstimable)


def written(folder: Path, **columns) -> Path:
    path = folder / "usage.csv"
    pd.DataFrame({"i": [100, 200], "o": [5, 6], "c": [0, 50], "ok": ["true", "false"], **columns}).to_csv(path)
    return path


def test_usage_is_read_from_its_columns(tmp_path: Path):
    found = read_usage(written(tmp_path), COLUMNS, "cost.teacher.tokens.usage")
    assert found.input_tokens.tolist() == [100, 200]
    assert found.cached_tokens.tolist() == [0, 50]
    assert found.answered.tolist() == [1, 0]
    plain = read_usage(written(tmp_path), TokenColumns(input_tokens="i", output_tokens="o"), "usage")
    assert (plain.cached_tokens.tolist(), plain.answered.tolist()) == ([0, 0], [1, 1])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"i": [100, None]}, r"column 'i' is empty in row 1; give the tokens of every call, 0 or more"),
        ({"o": [5, -1]}, r"column 'o' is -1 in row 1"),
        ({"o": [5, "many"]}, r"column 'o' holds 'many', which is not a number"),
        ({"c": [0, 201]}, r"has 201 cached of 200 input tokens in row 1; input tokens are all of them"),
        ({"ok": ["true", "perhaps"]}, r"column 'ok' is 'perhaps' in row 1; give true or false"),
        ({"ok": ["false", "false"]}, r"holds no call that was answered"),
    ],
    ids=["empty", "negative", "word", "cached", "flag", "none"],
)
def test_usage_that_cannot_be_is_refused_in_one_line(tmp_path: Path, columns, said):
    with pytest.raises(DataError, match=said):
        read_usage(written(tmp_path, **columns), COLUMNS, "usage")


def test_a_column_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="tokens_in"):
        read_usage(written(tmp_path), TokenColumns(input_tokens="tokens_in", output_tokens="o"), "usage")


def answers(given, output=1.0, **more):
    return pd.DataFrame({"input_tokens": given, "output_tokens": output, **more})


def test_the_answers_of_an_api_teacher_are_calls_that_were_answered():
    prices = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    found = usage_of_answers(answers([100, 300] * 50, 10), None)
    assert isinstance(found, Usage)
    assert measured(prices, found).point == pytest.approx(200 * 3 + 150)


def test_answers_without_a_count_of_tokens_leave_the_cost_unknown():
    """A mean over those that were counted would be one over other texts."""
    found = usage_of_answers(answers([100, None, 300]), None)
    assert isinstance(found, NotEstimable)
    assert found.reason.startswith("teacher.api counted no tokens in 1 of 3 answers; give")
    assert found.n == 2


def test_calls_that_belong_together_are_drawn_together():
    prices = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    rng = np.random.default_rng(2)
    table = answers(np.repeat(rng.normal(300, 60, 60), 4))
    apart, together = (
        measured(prices, usage_of_answers(table, clusters)) for clusters in (None, np.repeat(np.arange(60), 4))
    )
    assert together.point == apart.point
    assert together.n == 60
    assert together.upper - together.lower > 1.7 * (apart.upper - apart.lower)
