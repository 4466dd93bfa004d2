"""The check of the warm-up and the search for drift, on simulated servers."""

import numpy as np
import pytest

from evalkit.stats.interval import NotEstimable
from loadtest.drift import drift
from loadtest.shift import WindowComparison
from loadtest.warm_up import check_warm_up, mser5
from tests.simulated_queues import latencies_ms

WARMUP_S, DURATION_S = 2.0, 20.0


def times(n: int) -> np.ndarray:
    return WARMUP_S + np.sort(np.random.default_rng(0).uniform(0, DURATION_S, n))


def compared(latencies: np.ndarray) -> WindowComparison:
    found = drift(times(len(latencies)), latencies, WARMUP_S, DURATION_S)
    assert isinstance(found, WindowComparison)
    return found


def test_a_server_that_slows_down_by_a_fifth_drifts():
    latencies = latencies_ms(6000, 0.3, np.random.default_rng(1))
    latencies[4000:] *= 1.3
    found = compared(latencies)
    assert found.fired
    assert sum(found.requests) == 6000
    assert found.shifts[0].q == 0.5
    assert found.shifts[0].window_ms[2] > 1.2 * found.shifts[0].window_ms[0]
    assert found.shifts[0].p_value < 0.005


def test_a_certain_difference_that_does_not_matter_is_no_drift():
    latencies = np.random.default_rng(2).normal(10.0, 0.1, 6000)
    latencies[4000:] += 0.5
    found = compared(latencies)
    assert found.shifts[0].p_value < 1e-6
    assert found.shifts[0].ratio < 1.1
    assert not found.fired


def test_only_the_tail_may_drift():
    rng = np.random.default_rng(3)
    latencies = rng.exponential(1.0, 9000) + 5
    slow = rng.uniform(size=9000) < np.where(np.arange(9000) < 6000, 0.0, 0.2)
    latencies[slow] += 30
    found = compared(latencies)
    assert [shift.fired for shift in found.shifts] == [False, True]


def test_windows_too_small_to_compare_are_not_compared():
    found = drift(times(20), np.ones(20), WARMUP_S, DURATION_S)
    assert isinstance(found, NotEstimable)
    assert found.n_needed == 10


def test_p95_is_left_out_where_a_window_has_too_few_requests():
    found = drift(times(150), np.random.default_rng(4).exponential(1.0, 150), WARMUP_S, DURATION_S)
    assert isinstance(found, WindowComparison)
    assert [shift.q for shift in found.shifts] == [0.5]


def test_one_latency_for_all_is_steady():
    assert not compared(np.full(900, 7.0)).fired


def test_a_warm_up_that_was_too_short_is_seen_and_mser5_says_by_how_much():
    latencies = latencies_ms(8000, 0.3, np.random.default_rng(5))
    sent_s = times(8000)
    cold = sent_s < WARMUP_S + 1.5
    latencies[cold] += 12.0
    found = check_warm_up(sent_s, latencies, WARMUP_S, DURATION_S)
    assert found.fired
    assert found.cut_more_s == pytest.approx(1.5, abs=0.3)


def test_a_steady_run_was_warm():
    latencies = latencies_ms(8000, 0.3, np.random.default_rng(6))
    found = check_warm_up(times(8000), latencies, WARMUP_S, DURATION_S)
    assert not found.fired
    assert found.cut_more_s is None
    assert found.first_s == 2.0


def test_a_run_of_nothing_is_not_checked():
    found = check_warm_up(np.empty(0), np.empty(0), WARMUP_S, DURATION_S)
    assert not found.fired
    assert isinstance(found.comparison, NotEstimable)


def test_mser5_finds_no_steady_part_in_a_run_that_never_settles():
    assert mser5(np.linspace(100.0, 1.0, 400) ** 2) is None
    assert mser5(np.ones(10)) is None


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_a_steady_queue_is_rarely_said_to_drift_or_to_be_cold(load):
    """At most 1 % is meant; 0.04 is that and 3 standard errors of 200 runs, and some for the fullest queue."""
    rng, runs = np.random.default_rng(7), 200
    found = [latencies_ms(6000, load, rng) for _ in range(runs)]
    assert np.mean([compared(each).fired for each in found]) <= 0.04
    cold = [check_warm_up(times(6000), each, WARMUP_S, DURATION_S).fired for each in found]
    assert np.mean(cold) <= 0.04


@pytest.mark.slow
def test_a_real_drift_is_seen_in_most_runs():
    rng, seen = np.random.default_rng(8), 0
    for _ in range(60):
        latencies = latencies_ms(6000, 0.2, rng)
        latencies[4000:] *= 1.4
        seen += compared(latencies).fired
    assert seen > 55
