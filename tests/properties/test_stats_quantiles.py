"""What must hold of quantile intervals and certificates for every input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.quantiles import certificate_passes, certificate_requests, quantile, requests_needed

quantile_orders = st.floats(0.02, 0.98)
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95])


@settings(deadline=None)
@given(st.integers(1, 400), quantile_orders, levels)
def test_each_side_of_a_quantile_interval_errs_within_its_share_and_tightly(n: int, q: float, level: float) -> None:
    """On the samples 1…n a bound is its own rank, so its coverage is a binomial sum."""
    error = (1 - level) / 2
    estimate = quantile(np.arange(1.0, n + 1), q, level)
    if isinstance(estimate, NotEstimable):
        assert q**n > error or (1 - q) ** n > error
        assert estimate.n_needed is not None
        assert estimate.n_needed > n
        return
    lower, upper = int(estimate.lower), int(estimate.upper)
    assert binom.cdf(lower - 1, n, q) <= error + 1e-12
    assert binom.sf(upper - 1, n, q) <= error + 1e-12
    assert binom.cdf(lower, n, q) > error  # one rank further in would err too often
    assert binom.sf(upper - 2, n, q) > error


@settings(deadline=None)
@given(quantile_orders, levels)
def test_a_quantile_is_estimable_from_the_samples_it_asks_for_on(q: float, level: float) -> None:
    none = quantile([], q, level)
    assert isinstance(none, NotEstimable)
    assert none.n_needed is not None
    assert isinstance(quantile(np.arange(float(none.n_needed)), q, level), Interval)
    assert isinstance(quantile(np.arange(none.n_needed - 1.0), q, level), NotEstimable)


@settings(deadline=None)
@given(st.floats(0.001, 0.999), st.floats(0.5, 0.999))
def test_requests_needed_is_the_first_power_of_q_below_the_error(q: float, confidence: float) -> None:
    needed = requests_needed(q, confidence)
    assert q**needed <= (1 - confidence) * (1 + 1e-6)
    assert needed == 1 or q ** (needed - 1) > (1 - confidence) * (1 - 1e-6)


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(0, 60), st.floats(0.5, 0.999), st.sampled_from([0.9, 0.95, 0.99]))
def test_certificate_passes_exactly_from_the_requests_it_names_on(
    n: int, over_limit: int, q: float, confidence: float
) -> None:
    needed = certificate_requests(over_limit, q, confidence)
    assert binom.cdf(over_limit, needed, 1 - q) <= (1 - confidence) * (1 + 1e-9)
    assert binom.cdf(over_limit, needed - 1, 1 - q) > (1 - confidence) * (1 - 1e-9)
    if n >= over_limit:
        assert certificate_passes(n, over_limit, q, confidence) == (n >= needed)
