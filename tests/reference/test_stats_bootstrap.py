"""The bootstrap against scipy's on the same problem, and against the worked example of its inventors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from evalkit.stats.bca import acceleration, bca_interval, interval_from_replicates
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Interval

# Efron and Tibshirani (1993), table 14.1: spatial perception scores of 26 children, test A.
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41.0]
)


def variance(weights: np.ndarray) -> np.ndarray:
    n = weights.sum(axis=1)
    return weights @ SPATIAL**2 / n - (weights @ SPATIAL / n) ** 2


def test_bca_interval_of_the_variance_of_the_spatial_data_is_that_of_efron_and_tibshirani() -> None:
    """Section 14.2: variance 171.5, acceleration 0.061, 90 % BCa interval (115.8, 259.6) of 2,000 replicates."""
    jackknife = variance(1.0 - np.eye(26))
    assert acceleration(jackknife) == pytest.approx(0.061, abs=0.0005)
    weights = np.random.default_rng(1).multinomial(26, np.full(26, 1 / 26), size=40_000)
    point = float(variance(np.ones((1, 26)))[0])
    found = interval_from_replicates(point, variance(weights), acceleration(jackknife), 0.90, 26, "bootstrap")
    assert isinstance(found, Interval)
    assert found.point == pytest.approx(171.5, abs=0.05)
    assert (found.lower, found.upper) == pytest.approx((115.8, 259.6), rel=0.03)


def test_bca_interval_of_replicates_is_the_formula_by_hand() -> None:
    """Equation 14.10 with z0 = Φ⁻¹(0.6) and a = 0: the quantiles at Φ(2 z0 ± 1.645) of 1…9,999."""
    replicates, point = np.arange(1.0, 10_000.0), 6000.0
    found = bca_interval(point, replicates, np.arange(50.0), 0.90, n=50)
    share_below = (2 * 5999 + 1) / (2 * 9999)
    shares = norm.cdf(2 * norm.ppf(share_below) + norm.ppf([0.05, 0.95]))
    assert isinstance(found, Interval)
    assert (found.lower, found.upper) == pytest.approx(tuple(10_000 * shares), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("n", [25, 80, 400])
def test_bca_interval_of_a_paired_ratio_is_that_of_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    teacher = rng.exponential(size=n)
    student = teacher + rng.exponential(size=n) ** 1.5
    theirs = bootstrap(
        (student, teacher),
        lambda s, t, axis: s.mean(axis=axis) / t.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=40_000,
        confidence_level=0.90,
        method="BCa",
        rng=rng,
    ).confidence_interval
    ours = bootstrap_sums(
        np.stack([student, teacher], axis=1), lambda sums: sums[..., 0] / sums[..., 1], 0.90, rng, replicates=40_000
    )
    assert isinstance(ours, Interval)
    width = theirs.high - theirs.low
    # A 5 % quantile of 40,000 normal draws has a standard error of 0.0106 σ, and the bias z0 adds to it: 0.5 % of
    # the width each, so 2 % is four standard errors of one, three of a difference of two.
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=0.02 * width)
