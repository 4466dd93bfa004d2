from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.means import METHOD, mean_interval


@pytest.mark.parametrize("values", [[], [3.0]])
def test_fewer_than_two_values_have_no_interval(values: list[float]) -> None:
    estimate = mean_interval(values, level=0.95)
    assert isinstance(estimate, NotEstimable)
    assert (estimate.n, estimate.n_needed) == (len(values), 2)


def test_identical_values_are_not_an_interval_of_no_width() -> None:
    estimate = mean_interval([0.1, 0.1, 0.1], level=0.95)
    assert isinstance(estimate, NotEstimable)
    assert estimate.n == 3


def test_interval_says_its_point_level_values_and_method() -> None:
    rate = mean_interval([98.0, 102.0], level=0.9)
    assert isinstance(rate, Interval)
    assert (rate.point, rate.level, rate.n, rate.method) == (100.0, 0.9, 2, METHOD)


def test_interval_covers_the_mean_of_normal_values_at_its_level() -> None:
    windows = np.random.default_rng(4).normal(50.0, 5.0, size=(4000, 6))
    intervals = [mean_interval(row, level=0.9) for row in windows]
    covered = np.mean([isinstance(i, Interval) and i.lower <= 50.0 <= i.upper for i in intervals])
    assert covered == pytest.approx(0.9, abs=0.02)  # four standard errors


def test_values_that_are_not_finite_and_levels_that_are_no_fraction_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values has 1 values that are not finite"):
        mean_interval([1.0, float("nan")], level=0.9)
    with pytest.raises(ValueError, match=r"level is 0"):
        mean_interval([1.0, 2.0], level=0)
