import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.capacity.fit import bracket_of, crossing_rps


def counts(rates: list[float], shares: list[float], requests: float = 1e5) -> tuple[np.ndarray, ...]:
    return np.array(rates), np.full(len(rates), requests), requests * np.array(shares)


def test_the_capacity_lies_where_a_straight_line_through_the_logarithms_is_at_one_percent() -> None:
    # log share rises by log 16 from 0.0025 to 0.04; log 0.01 is half the way, and so is log 200 from 100 to 400
    assert crossing_rps(*counts([100, 400], [0.0025, 0.04])) == pytest.approx(200.0)


def test_an_exponential_tail_is_found_between_its_rates() -> None:
    """M/M/1: the share over x at rate r is exp(−(1000 − r) x); at x = 25 ms it is 1 % at 815.8."""
    rates = np.linspace(700, 950, 11)
    shares = np.exp(-(1000 - rates) * 0.025)
    assert crossing_rps(*counts(rates.tolist(), shares.tolist())) == pytest.approx(815.8, rel=0.001)


def test_shares_that_fall_with_the_rate_are_pooled() -> None:
    """20 of 1,000 at 100 and 5 of 1,000 at 200 are one block of 1.25 % at their geometric mean, 141.4."""
    rates, requests, over = counts([50, 100, 200], [0.0, 0.02, 0.005], requests=1000)
    lower, upper = math.log(0.5 / 1000), math.log(0.0125)  # none over counts half a request
    part = (math.log(0.01) - lower) / (upper - lower)
    expected = math.exp(math.log(50) + part * (math.log(100 * 2**0.5) - math.log(50)))
    assert crossing_rps(rates, requests, over) == pytest.approx(expected)


def test_where_all_rates_are_on_one_side_the_outermost_is_given() -> None:
    assert crossing_rps(*counts([100, 200], [0.0, 0.001])) == 200
    assert crossing_rps(*counts([100, 200], [0.02, 0.5])) == 100


def test_the_bracket_is_that_of_the_fit_and_not_of_single_trials() -> None:
    """1.2 % at 100 and 0.7 % at 110 are together below 1 %."""
    assert bracket_of(*counts([100, 110, 150], [0.012, 0.007, 0.05])) == (110, 150)
    assert bracket_of(*counts([100, 110], [0.0, 0.001])) == (110, None)
    assert bracket_of(*counts([100, 110], [0.5, 0.6])) == (None, 100)


def test_trials_at_one_rate_are_one_observation_in_any_order() -> None:
    one = crossing_rps(*counts([100, 200, 200, 400], [0.001, 0.002, 0.02, 0.1]))
    assert one == pytest.approx(crossing_rps(*counts([100, 200, 200, 400], [0.001, 0.02, 0.002, 0.1])))


@given(
    st.lists(st.tuples(st.floats(1, 1e4), st.integers(1, 5000), st.floats(0, 1)), min_size=1, max_size=12),
    st.floats(0.1, 10),
)
def test_the_capacity_stays_within_the_tried_rates_and_scales_with_them(
    trials: list[tuple[float, int, float]], scale: float
) -> None:
    trials.sort()
    rates, requests = np.array([each[0] for each in trials]), np.array([float(each[1]) for each in trials])
    over = np.floor(requests * np.array([each[2] for each in trials]))
    found = crossing_rps(rates, requests, over)
    assert rates.min() * (1 - 1e-9) <= found <= rates.max() * (1 + 1e-9)
    assert crossing_rps(rates * scale, requests, over) == pytest.approx(scale * found, rel=1e-6)
