import numpy as np
import pytest

from evalkit.stats.correlation_time import correlation_time, tail_correlation_time
from tests.simulated_queues import latencies_ms


def autoregressive(n: int, phi: float, rng: np.random.Generator) -> np.ndarray:
    noise, values = rng.normal(size=n), np.empty(n)
    values[0] = noise[0] / np.sqrt(1 - phi**2)
    for at in range(1, n):
        values[at] = phi * values[at - 1] + noise[at]
    return values


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_a_first_order_autoregression_has_the_time_of_its_formula(phi):
    """τ = (1 + φ) / (1 − φ): Priestley (1981), Spectral Analysis and Time Series, section 5.3. The longer one of two
    estimates is on average somewhat too long."""
    found = [correlation_time(autoregressive(20_000, phi, np.random.default_rng(seed))) for seed in range(6)]
    assert 0.95 < np.mean(found) * (1 - phi) / (1 + phi) < 1.35


def test_values_that_repel_each_other_count_no_more_than_independent_ones():
    assert correlation_time([0.0, 1.0] * 500) == 1.0


def test_a_constant_series_and_an_empty_one_have_time_1():
    assert correlation_time([3.0] * 100) == 1.0
    assert correlation_time([]) == 1.0
    assert tail_correlation_time([], 0.99) == 1.0


def test_it_is_never_longer_than_the_series():
    assert correlation_time([0.0] * 50 + [1.0] * 50) <= 100


def test_independent_requests_are_hardly_charged():
    found = [tail_correlation_time(np.random.default_rng(seed).exponential(size=1500), 0.99) for seed in range(40)]
    assert np.median(found) < 1.1


def test_a_queue_is_charged_more_the_fuller_it_is():
    half, full = (
        tail_correlation_time(latencies_ms(20_000, load, np.random.default_rng(1)), 0.99) for load in (0.5, 0.8)
    )
    assert 5 < half < 20 < full


def test_rounding_in_the_last_digit_is_no_order():
    """0.1 + t − t differs in its last bits with t."""
    times = np.arange(1000) * 0.01
    latencies = (times + 0.0123) - times
    assert np.unique(latencies).size > 1
    assert tail_correlation_time(latencies, 0.5) == 1.0


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        correlation_time([1.0, float("nan")])
    with pytest.raises(ValueError, match="q is 1"):
        tail_correlation_time([1.0], 1.0)
