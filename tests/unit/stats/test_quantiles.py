from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.quantiles import (
    METHOD,
    certificate_passes,
    certificate_requests,
    quantile,
    requests_needed,
)


def test_order_of_the_samples_does_not_matter() -> None:
    samples = np.random.default_rng(3).exponential(20.0, size=500)
    assert quantile(samples, 0.99, 0.9) == quantile(np.sort(samples), 0.99, 0.9)


def test_interval_says_its_level_samples_and_method() -> None:
    estimate = quantile(np.arange(400.0), 0.99, 0.9)
    assert isinstance(estimate, Interval)
    assert (estimate.level, estimate.n, estimate.method) == (0.9, 400, METHOD)


def test_the_point_is_the_smallest_sample_with_the_share_at_or_below_it() -> None:
    estimate = quantile(np.arange(1.0, 101.0), 0.07, 0.5)  # 0.07 · 100 is 7.000000000000001 in floats
    assert isinstance(estimate, Interval)
    assert estimate.point == 7.0


def test_a_low_quantile_is_limited_by_its_lower_side() -> None:
    estimate = quantile(np.arange(100.0), 0.01, 0.9)
    assert isinstance(estimate, NotEstimable)
    assert estimate.n_needed == 299


@pytest.mark.parametrize("q", [0.0, 1.0, 99, float("nan")])
def test_a_quantile_outside_the_unit_interval_is_refused(q: float) -> None:
    for call in (
        lambda: quantile(np.ones(9), q, 0.9),
        lambda: requests_needed(q, 0.95),
        lambda: certificate_requests(0, q, 0.95),
        lambda: certificate_passes(9, 0, q, 0.95),
    ):
        with pytest.raises(ValueError, match=r"q is .*; give a fraction in \(0, 1\)"):
            call()


def test_a_confidence_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"confidence is 95"):
        requests_needed(0.99, 95)
    with pytest.raises(ValueError, match=r"confidence is 1"):
        certificate_requests(0, 0.99, 1.0)


def test_samples_that_are_not_finite_are_counted_and_refused() -> None:
    with pytest.raises(ValueError, match=r"samples has 2 values that are not finite"):
        quantile([1.0, float("nan"), float("inf")], 0.5, 0.9)
    with pytest.raises(ValueError, match=r"samples has shape \(2, 2\); give one dimension"):
        quantile(np.ones((2, 2)), 0.5, 0.9)


def test_a_certificate_refuses_more_misses_than_requests_and_negative_counts() -> None:
    with pytest.raises(ValueError, match=r"over_limit is 6; there are only n = 5 requests"):
        certificate_passes(5, 6, 0.99, 0.99)
    with pytest.raises(ValueError, match=r"over_limit is -1; give a count of at least 0"):
        certificate_requests(-1, 0.99, 0.99)
