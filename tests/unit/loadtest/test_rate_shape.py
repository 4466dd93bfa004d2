import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.rate_shape import RateShape, ShapeKind, at_counts, expected_count, parse_rate

RAMP = RateShape(kind=ShapeKind.RAMP, rates_rps=(50.0, 150.0))
STEPS = RateShape(kind=ShapeKind.STEPS, rates_rps=(10.0, 40.0))


def test_requests_expected_are_the_area_under_the_rate() -> None:
    assert expected_count(100.0, None, 5.0, 10.0) == pytest.approx(1500)
    # the warm-up keeps the first rate: 5·50, then a trapezium of 10 s between 50 and 150
    assert expected_count(100.0, RAMP, 5.0, 10.0) == pytest.approx(250 + 1000)
    assert expected_count(25.0, STEPS, 1.0, 10.0) == pytest.approx(10 + 5 * 10 + 5 * 40)


def test_times_by_hand() -> None:
    # without warm-up, 50·t + 5·t² requests are expected by t; that is 187.5 at t = 3 - 0 and so on
    counts = np.array([0.0, 50 * 3 + 5 * 9, 50 * 10 + 5 * 100])
    np.testing.assert_allclose(at_counts(counts, 100.0, RAMP, 0.0, 10.0), [0.0, 3.0, 10.0])
    np.testing.assert_allclose(at_counts(np.array([25.0, 50.0, 90.0]), 25.0, STEPS, 0.0, 10.0), [2.5, 5.0, 6.0])
    np.testing.assert_allclose(at_counts(np.array([3.0]), 2.0, None, 1.0, 9.0), [1.5])


@given(
    first=st.floats(0.1, 1e4), last=st.floats(0.1, 1e4), warmup=st.sampled_from([0.0, 0.5, 30.0]), at=st.floats(0, 1)
)
def test_a_ramp_is_undone_by_its_integral(first: float, last: float, warmup: float, at: float) -> None:
    shape = RateShape(kind=ShapeKind.RAMP, rates_rps=(first, last))
    duration = 20.0
    count = at * expected_count(shape.mean_rps, shape, warmup, duration)
    (time,) = at_counts(np.array([count]), shape.mean_rps, shape, warmup, duration)
    beyond = max(0.0, time - warmup)
    integral = first * min(time, warmup) + first * beyond + (last - first) / duration * beyond**2 / 2
    assert integral == pytest.approx(count, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("text", ["", "fast", "50..", "50..100..150", "50,", "50..0", "10,-5", "10,inf", "nan,5"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate|ramp"):
        parse_rate(text)
