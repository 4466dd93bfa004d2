from itertools import islice

import numpy as np
import pytest

from loadtest.plan import Arrivals, OpenLoopPlan
from loadtest.schedule import intended_times, payload_order


def plan(arrivals: Arrivals = Arrivals.POISSON, rate_rps: float = 500.0, seed: int = 1) -> OpenLoopPlan:
    return OpenLoopPlan(
        url="http://127.0.0.1:1",
        rate_rps=rate_rps,
        duration_s=95.0,
        warmup_s=5.0,
        seed=seed,
        arrivals=arrivals,
    )


def test_the_same_seed_gives_the_same_times_and_another_seed_others() -> None:
    times = intended_times(plan(seed=1))
    np.testing.assert_array_equal(times, intended_times(plan(seed=1)))
    assert not np.array_equal(times[:100], intended_times(plan(seed=2))[:100])


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_times_ascend_within_the_run(arrivals: Arrivals) -> None:
    times = intended_times(plan(arrivals))
    assert times.dtype == np.float64
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0.0
    assert 99.5 < times[-1] < 100.0  # warm-up and duration


@pytest.mark.parametrize("seed", range(5))
def test_poisson_arrivals_have_the_planned_rate_and_unit_dispersion(seed: int) -> None:
    times = intended_times(plan(seed=seed))
    # 50,000 expected, standard deviation sqrt(50,000) = 224
    assert abs(len(times) - 50_000) < 4 * 224
    counts = np.histogram(times, bins=np.linspace(0, 100, 1001))[0]
    # the index of dispersion of 1,000 windows is 1 ± 4·sqrt(2/999)
    assert counts.var(ddof=1) / counts.mean() == pytest.approx(1.0, abs=0.18)
    gaps = np.diff(times)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)  # exponential gaps


def test_constant_arrivals_are_equally_spaced() -> None:
    times = intended_times(plan(Arrivals.CONSTANT, rate_rps=3.0))
    assert len(times) == 300
    np.testing.assert_allclose(np.diff(times), 1 / 3)


def test_payloads_are_seeded_and_uniform() -> None:
    drawn = list(islice(payload_order(5, 4), 8000))
    assert drawn == list(islice(payload_order(5, 4), 8000))
    assert drawn != list(islice(payload_order(6, 4), 8000))
    # 2,000 expected each, standard deviation sqrt(8,000 · 1/4 · 3/4) = 39
    assert np.abs(np.bincount(drawn, minlength=4) - 2000).max() < 4 * 39
