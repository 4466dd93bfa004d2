"""Published and closed-form values for proportions, quantiles, certificates, means and Holm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.means import mean_interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.proportions import CLOPPER_PEARSON, WILSON, proportion
from evalkit.stats.quantiles import (
    certificate_passes,
    certificate_requests,
    quantile,
    requests_needed,
)
from evalkit.stats.sample_size import feasibility_floor


def test_wilson_interval_matches_newcombe_1998() -> None:
    """Newcombe (1998), "Two-sided confidence intervals for the single proportion", Table I, 81/263."""
    share = proportion(81, 263, level=0.95)
    assert isinstance(share, Interval)
    assert share.method == WILSON
    assert (round(share.lower, 4), round(share.upper, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("successes", "lower", "upper"), [(0, 0.0, 0.3085), (10, 0.6915, 1.0)])
def test_clopper_pearson_matches_the_r_package_contingencytables(successes: int, lower: float, upper: float) -> None:
    """contingencytables, tests/testthat/test-ch8.R: 0 and 10 of 10 at 95 %."""
    share = proportion(successes, 10, level=0.95)
    assert isinstance(share, Interval)
    assert share.method == CLOPPER_PEARSON
    assert (round(share.lower, 4), round(share.upper, 4)) == (lower, upper)


def test_clopper_pearson_at_no_success_is_its_closed_form() -> None:
    share = proportion(0, 20, level=0.95)
    assert isinstance(share, Interval)
    assert share.upper == pytest.approx(1 - 0.025 ** (1 / 20))


@pytest.mark.parametrize(("confidence", "needed"), [(0.95, 299), (0.99, 459)])
def test_the_p99_upper_bound_needs_the_samples_of_wilks_1941(confidence: float, needed: int) -> None:
    """Wilks (1941), Annals of Mathematical Statistics 12, 91–96: first n with 0.99^n ≤ 1 − confidence."""
    assert requests_needed(0.99, confidence) == needed
    assert 0.99**needed <= 1 - confidence < 0.99 ** (needed - 1)


def test_the_p99_interval_starts_at_299_samples() -> None:
    short = quantile(np.arange(298.0), q=0.99, level=0.90)
    assert isinstance(short, NotEstimable)
    assert (short.n, short.n_needed) == (298, 299)
    enough = quantile(np.arange(299.0), q=0.99, level=0.90)
    assert isinstance(enough, Interval)
    assert enough.upper == 298.0


def test_median_interval_of_100_samples_is_the_40th_and_61st() -> None:
    """P(Bin(100, ½) ≤ 39) = 0.0176 and P(Bin(100, ½) ≤ 40) = 0.0284 lie on either side of 2.5 %."""
    middle = quantile(np.arange(1.0, 101.0), q=0.5, level=0.95)
    assert isinstance(middle, Interval)
    assert (middle.lower, middle.point, middle.upper) == (40.0, 50.0, 61.0)


@pytest.mark.parametrize(("q", "over_limit", "needed"), [(0.99, 0, 459), (0.99, 1, 662), (0.9, 1, 64)])
def test_certificate_needs_the_requests_of_mlperf_loadgen(q: float, over_limit: int, needed: int) -> None:
    """MLPerf LoadGen, early stopping at 99 % confidence: from 64 queries for p90 and 662 for p99."""
    assert certificate_requests(over_limit, q, confidence=0.99) == needed
    assert certificate_passes(needed, over_limit, q, confidence=0.99)
    assert not certificate_passes(needed - 1, over_limit, q, confidence=0.99)


def test_certificate_is_the_exact_binomial_test() -> None:
    for over_limit in range(6):
        for n in range(over_limit, 160, 7):
            tail = binom.cdf(over_limit, n, 0.1)  # at most this many misses although a tenth may miss
            assert certificate_passes(n, over_limit, q=0.9, confidence=0.95) == (tail <= 0.05)


def test_student_interval_is_the_worked_arithmetic() -> None:
    """t(0.975, 3) = 3.182446 (any t table); the sample's variance is (9 + 1 + 1 + 9) / 3."""
    rate = mean_interval([97.0, 99.0, 101.0, 103.0], level=0.95)
    assert isinstance(rate, Interval)
    half = 3.182446 * math.sqrt(20 / 3) / 2
    assert (rate.lower, rate.upper) == pytest.approx((100 - half, 100 + half), abs=1e-5)


def test_holm_matches_the_adjustment_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never falling: 0.02, 0.03, 0.06, 0.06."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52)])
def test_feasibility_floor_is_z_squared_times_the_odds_against_the_margin(margin: float, rows: int) -> None:
    assert feasibility_floor(margin, confidence=0.95) == rows
    assert rows - 1 < 1.6448536**2 * (1 - margin) / margin <= rows
