"""The search against simulated queues, whose capacity is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from loadtest.capacity.plan import LONG_S, SearchPlan
from loadtest.capacity.result import CapacityResult, StoppedBecause
from loadtest.capacity.search import search
from loadtest.capacity.trial import Asked, Measured, Side
from tests.unit.loadtest.capacity.simulated import (
    Latencies,
    Simulated,
    batches,
    capacity_by_simulation,
    exponential,
    exponential_capacity,
    noisy,
)

PLAN = SearchPlan(limit_ms=25.0)
FAST, FAST_CAPACITY = exponential(1000.0), exponential_capacity(1000.0, 25.0)
BATCHED = batches(0.001, 0.0004, 16)


def found(latencies: Latencies, seed: int, plan: SearchPlan = PLAN) -> CapacityResult:
    return search(replace(plan, seed=1000 * seed), Simulated(latencies, plan.limit_ms, seed=seed))


def point(result: CapacityResult) -> float:
    assert isinstance(result.rate, Interval), result.rate
    return result.rate.point


def test_the_simulated_queue_is_that_of_the_textbook() -> None:
    """M/M/1 at the rate ``FAST_CAPACITY`` has its p99 at the limit."""
    rng = np.random.default_rng(1)
    arrivals = np.sort(rng.uniform(0, 400, size=rng.poisson(400 * FAST_CAPACITY)))
    assert np.quantile(FAST(arrivals, rng), 0.99) == pytest.approx(0.025, rel=0.05)


@pytest.mark.parametrize(
    ("latencies", "truth"),
    [
        pytest.param(FAST, FAST_CAPACITY, id="M/M/1"),
        pytest.param(BATCHED, capacity_by_simulation(BATCHED, 25.0, 500, 2500), id="batches"),
        pytest.param(noisy(FAST, 0.03), FAST_CAPACITY, id="a machine that is faster in one trial than in another"),
    ],
)
def test_three_searches_find_the_capacity_and_agree_within_a_tenth(latencies: Latencies, truth: float) -> None:
    rates = [point(found(latencies, seed)) for seed in range(3)]
    assert rates == pytest.approx([truth] * 3, rel=0.10)
    assert max(rates) / min(rates) <= 1.10


def test_a_slow_server_is_found_in_more_time() -> None:
    """60 a second and 150 ms: 29.3 requests a second, of which the certificate needs 299."""
    plan = SearchPlan(limit_ms=150.0, max_minutes=15, precision=0.10)
    assert point(found(exponential(60.0), 1, plan)) == pytest.approx(exponential_capacity(60.0, 150.0), rel=0.10)


def test_the_same_search_twice_finds_the_same() -> None:
    assert found(FAST, 3) == found(FAST, 3)


def test_every_trial_has_a_schedule_of_its_own() -> None:
    seeds = [trial.asked.seed for trial in found(FAST, 1).trials]
    assert len(set(seeds)) == len(seeds)


def test_the_certified_rate_was_tried_and_passes_below_the_capacity() -> None:
    result = found(FAST, 2)
    assert result.certified_rps in {trial.rate_rps for trial in result.trials}
    assert 0.8 * FAST_CAPACITY < result.certified_rps < 1.1 * FAST_CAPACITY


def test_a_rate_that_is_clearly_over_is_never_tried_for_long() -> None:
    trials = found(FAST, 1).trials
    hopeless = [trial for trial in trials if trial.rate_rps > 1.3 * FAST_CAPACITY]
    assert hopeless
    assert all(trial.asked.seconds < LONG_S[0] for trial in hopeless)


@pytest.mark.parametrize("minutes", [0.4, 1.0, 2.5])
def test_no_search_takes_longer_than_allowed(minutes: float) -> None:
    result = found(FAST, 1, SearchPlan(limit_ms=25.0, max_minutes=minutes, precision=1e-6))
    assert result.seconds <= 60 * minutes
    assert result.stopped_because is StoppedBecause.OUT_OF_TIME


def test_without_time_for_a_bracket_there_is_no_number() -> None:
    result = found(FAST, 1, SearchPlan(limit_ms=25.0, max_minutes=0.2))
    assert isinstance(result.rate, NotEstimable)
    assert "before the capacity was bracketed; give more time" in result.rate.reason


def test_less_time_gives_a_wider_interval_and_no_other_verdict() -> None:
    short = found(FAST, 4, SearchPlan(limit_ms=25.0, max_minutes=1.5, precision=1e-6)).rate
    long = found(FAST, 4, SearchPlan(limit_ms=25.0, max_minutes=15.0, precision=1e-6)).rate
    assert isinstance(short, Interval)
    assert isinstance(long, Interval)
    assert long.upper - long.lower < short.upper - short.lower
    assert long.n > short.n


def test_a_server_that_is_never_good_has_no_capacity() -> None:
    result = found(exponential(100.0), 1, SearchPlan(limit_ms=5.0))  # alone, 61 % of its requests take longer
    assert isinstance(result.rate, NotEstimable)
    assert result.stopped_because is StoppedBecause.NEVER_GOOD
    assert result.rate.reason.startswith("no rate keeps the limit: even at ")
    assert result.certified_rps is None


def test_errors_above_one_percent_are_over_the_limit_at_any_rate() -> None:
    result = search(PLAN, Simulated(FAST, 25.0, failing=0.03))
    assert result.stopped_because is StoppedBecause.NEVER_GOOD
    assert " failed)" in result.explanation


def test_a_search_that_begins_above_the_capacity_goes_down() -> None:
    assert point(found(FAST, 1, SearchPlan(limit_ms=25.0, start_rps=6000))) == pytest.approx(FAST_CAPACITY, rel=0.10)


def test_a_server_that_is_good_at_every_rate_that_can_be_sent_says_that_the_generator_is_the_limit() -> None:
    result = search(PLAN, Simulated(FAST, 25.0, ceiling_rps=500.0))
    assert isinstance(result.rate, NotEstimable)
    assert result.stopped_because is StoppedBecause.GENERATOR_LIMIT
    assert "the generator itself falls behind: The generator sent late." in result.rate.reason
    assert result.certified_rps is not None
    assert 500 / 1.1 <= result.certified_rps <= 500  # as close to the ceiling as a tenth


def test_a_capacity_just_below_the_generators_ceiling_is_still_found() -> None:
    result = search(PLAN, Simulated(FAST, 25.0, ceiling_rps=1000.0))
    assert any(trial.side is Side.VOID for trial in result.trials)
    assert point(result) == pytest.approx(FAST_CAPACITY, rel=0.10)


def test_the_highest_rate_that_is_allowed_is_a_limit_too() -> None:
    plan = SearchPlan(limit_ms=25.0, max_rps=300.0)
    simulated = Simulated(FAST, 25.0)
    result = search(plan, simulated)
    assert result.stopped_because is StoppedBecause.GENERATOR_LIMIT
    assert max(asked.rate_rps for asked in simulated.asked) == 300.0


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_void_trial_is_repeated_once(number: int) -> None:
    result = search(PLAN, Simulated(FAST, 25.0, void=(number,)))
    first, second = result.trials[number - 1 : number + 1]
    assert (first.side, first.rate_rps) == (Side.VOID, second.rate_rps)
    assert point(result) == pytest.approx(FAST_CAPACITY, rel=0.10)


def test_a_search_whose_trial_is_void_twice_is_void_with_the_reason() -> None:
    result = search(PLAN, Simulated(FAST, 25.0, void=(4, 5)))
    assert len(result.trials) == 5
    assert result.stopped_because is StoppedBecause.VOID
    assert isinstance(result.rate, NotEstimable)
    assert result.rate.reason.startswith("void: at ")
    assert result.rate.reason.endswith("twice: Another process ran.")


def test_a_trial_without_a_request_is_void_and_no_proof() -> None:
    def nothing(_: Asked) -> Measured:
        return Measured(blocks=((0, 0),) * 8, failed=0, p99_ms=None, wall_s=3.0)

    assert search(PLAN, nothing).stopped_because is StoppedBecause.VOID


def test_a_server_with_a_cliff_is_flagged_and_a_plain_queue_is_not() -> None:
    """Below 400 requests a second it answers in 5 ms, above in 2 s."""

    def falls(arrivals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rate = len(arrivals) / (arrivals[-1] - arrivals[0])
        return np.full(len(arrivals), 0.005 if rate < 400 else 2.0)

    result = found(falls, 1)
    assert point(result) == pytest.approx(400, rel=0.05)
    assert result.cliff is not None
    assert result.cliff.p99_above_ms > 100 * result.cliff.p99_below_ms
    assert found(FAST, 1).cliff is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latencies", "truth"), [(FAST, FAST_CAPACITY), (batches(0.01, 0.004, 16), 183.5)], ids=["M/M/1", "batches"]
)
@pytest.mark.long
def test_the_interval_covers_the_capacity_about_as_often_as_it_says(latencies: Latencies, truth: float) -> None:
    """30 searches at 90 %: 3 misses expected, 8 or more have a chance of 0.8 % (binomial). The truth of the second is
    the mean of four runs of a million requests."""
    limit_ms = 25.0 if latencies is FAST else 150.0
    rates = [found(latencies, seed, SearchPlan(limit_ms=limit_ms)).rate for seed in range(100, 130)]
    assert all(isinstance(rate, Interval) for rate in rates)
    missed = sum(not rate.lower <= truth <= rate.upper for rate in rates if isinstance(rate, Interval))
    assert missed <= 7
    widths = [rate.upper / rate.lower for rate in rates if isinstance(rate, Interval)]
    assert max(widths) < math.exp(0.3)  # no interval covers by saying nothing
