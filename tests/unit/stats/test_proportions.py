from __future__ import annotations

import time

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.proportions import WILSON, proportion, proportion_bounds


def test_no_units_are_missing_evidence() -> None:
    assert proportion(0, 0, level=0.95) == NotEstimable(reason="there are no units", n=0, n_needed=1)


def test_interval_says_its_point_level_and_units() -> None:
    share = proportion(30, 40, level=0.9)
    assert isinstance(share, Interval)
    assert (share.point, share.level, share.n, share.method) == (0.75, 0.9, 40, WILSON)


def test_a_unanimous_sample_has_width_and_ends_at_its_edge() -> None:
    share = proportion(12, 12, level=0.95)
    assert isinstance(share, Interval)
    assert share.upper == 1.0
    assert share.lower == pytest.approx(0.025 ** (1 / 12))


@pytest.mark.parametrize(
    ("successes", "n", "message"),
    [
        (-1, 5, "successes is -1; give a count of at least 0"),
        (0, -5, "n is -5; give a count of at least 0"),
        (6, 5, "successes is 6; there are only n = 5 units"),
    ],
)
def test_impossible_counts_are_named(successes: int, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proportion(successes, n, level=0.95)


def test_a_level_that_is_no_fraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"level is 95"):
        proportion(1, 2, level=95)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.999])
def test_bounds_of_many_shares_are_those_of_statsmodels(level: float) -> None:
    successes, n = (grid.ravel() for grid in np.meshgrid(np.arange(121), [1, 2, 7, 30, 120]))
    successes, n = successes[successes <= n], n[successes <= n]
    lower, upper = proportion_bounds(successes, n, level)
    inner = (successes > 0) & (successes < n)
    for at, method in ((inner, "wilson"), (~inner, "beta")):
        expected = proportion_confint(successes[at], n[at], alpha=1 - level, method=method)
        np.testing.assert_allclose((lower[at], upper[at]), expected, atol=1e-12)


def test_bounds_broadcast_and_keep_to_0_and_1() -> None:
    lower, upper = proportion_bounds([[0], [5], [10]], [10, 1_000_000], 0.95)
    assert lower.shape == upper.shape == (3, 2)
    assert (lower >= 0).all()
    assert (upper <= 1).all()
    assert (lower[0], upper[2, 0]) == (pytest.approx([0, 0]), 1.0)


def test_one_share_has_the_bounds_it_has_among_many() -> None:
    lower, upper = proportion_bounds([0, 3, 9], 9, 0.9)
    for successes in (0, 3, 9):
        one = proportion(successes, 9, 0.9)
        assert isinstance(one, Interval)
        assert (one.lower, one.upper) == (lower[[0, 3, 9].index(successes)], upper[[0, 3, 9].index(successes)])


def test_a_million_shares_take_less_than_a_second_or_two() -> None:
    successes = np.arange(1_000_000) % 500
    started = time.perf_counter()
    proportion_bounds(successes, 500, 0.9)
    assert time.perf_counter() - started < 3.0  # some 0.1 s; the rest is a busy machine


@pytest.mark.parametrize(
    ("successes", "n", "message"),
    [
        ([1, 0], [5, 0], "n is 0; a proportion needs at least 1 unit"),
        ([1, -2], 5, "successes is -2; a count is at least 0"),
        ([1, 7], 5, "n - successes is -2; they are among the n units"),
    ],
)
def test_impossible_counts_among_many_are_named(successes: list[int], n: list[int] | int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proportion_bounds(successes, n, 0.95)
