import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.proportions import proportion
from evalkit.stats.serial_proportions import serial_proportion


def test_flags_that_repel_each_other_have_wilsons_interval():
    flags = [False] * 9 + [True]
    own, plain = serial_proportion(flags * 50, 0.95), proportion(50, 500, 0.95)
    assert isinstance(own, Interval)
    assert isinstance(plain, Interval)
    assert (own.lower, own.point, own.upper) == pytest.approx((plain.lower, plain.point, plain.upper))
    assert own.method.startswith("Wilson")


def test_none_of_n_has_the_exact_bound():
    found = serial_proportion([False] * 20, 0.95)
    assert isinstance(found, Interval)
    assert found.lower == 0.0
    assert found.upper == pytest.approx(0.1684, abs=1e-4)  # 1 − 0.025^(1/20)


def test_a_burst_of_refusals_is_far_less_certain_than_scattered_ones():
    burst = np.zeros(2000)
    burst[500:600] = 1
    scattered = np.random.default_rng(1).permutation(burst)
    wide, narrow = serial_proportion(burst, 0.9), serial_proportion(scattered, 0.9)
    assert isinstance(wide, Interval)
    assert isinstance(narrow, Interval)
    assert wide.point == narrow.point == 0.05
    assert wide.upper - wide.lower > 4 * (narrow.upper - narrow.lower)


def test_no_flags_are_no_share():
    assert serial_proportion([], 0.9) == NotEstimable(reason="there are no units", n=0, n_needed=1)
