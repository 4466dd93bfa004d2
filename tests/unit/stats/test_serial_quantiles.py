import dataclasses

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.quantiles import quantile
from evalkit.stats.serial_quantiles import METHOD, RATIO_METHOD, serial_quantile, serial_quantile_ratio
from tests.simulated_queues import EXPONENTIAL, UNEVEN, latencies_ms, p99_ms


def width(estimate: Interval | NotEstimable) -> float:
    assert isinstance(estimate, Interval), estimate
    return estimate.upper - estimate.lower


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_samples_that_keep_apart_have_exactly_the_interval_of_independent_ones(q, level):
    """Steps of the golden ratio: values beyond a quantile never follow each other, so that the time is 1."""
    spread = np.argsort(np.argsort(np.arange(2000) * (np.sqrt(5) - 1) / 2 % 1)) + 1.0
    own, plain = serial_quantile(spread, q, level), quantile(spread, q, level)
    assert isinstance(own, Interval)
    assert own.method == METHOD
    assert own == dataclasses.replace(plain, method=METHOD)


def test_it_is_never_narrower_than_that_of_independent_samples_and_far_wider_in_a_queue():
    rng = np.random.default_rng(4)
    for load, factor in ((0.1, 1.0), (0.5, 2.0), (0.8, 3.0)):
        samples = latencies_ms(40_000, load, rng)
        assert width(serial_quantile(samples, 0.99, 0.9)) >= factor * width(quantile(samples, 0.99, 0.9))


def test_the_order_of_the_samples_matters():
    samples = latencies_ms(40_000, 0.5, np.random.default_rng(5))
    shuffled = np.random.default_rng(6).permutation(samples)
    assert width(serial_quantile(samples, 0.99, 0.9)) > 1.5 * width(serial_quantile(shuffled, 0.99, 0.9))


def test_one_freeze_is_one_event_and_no_p99():
    """50 slow requests in a row of 2,000: they say as much about p99 as one."""
    samples = np.random.default_rng(7).exponential(1.0, 2000)
    samples[1000:1050] += 500.0
    found = serial_quantile(samples, 0.99, 0.9)
    assert isinstance(found, NotEstimable)
    assert "come in runs" in found.reason
    assert found.n == 2000
    assert found.n_needed is not None
    assert found.n_needed > 4000


def test_too_few_samples_say_how_many_are_needed():
    found = serial_quantile(np.arange(100.0) % 7, 0.99, 0.90)
    assert isinstance(found, NotEstimable)
    assert found.n_needed == pytest.approx(299, rel=0.3)


def test_the_ratio_of_two_queues_is_wider_than_that_of_independent_samples():
    rng = np.random.default_rng(8)
    slow, fast = 2 * latencies_ms(20_000, 0.7, rng), latencies_ms(20_000, 0.7, rng)
    own = serial_quantile_ratio(slow, fast, 0.5, 0.9, np.random.default_rng(1))
    mixed = serial_quantile_ratio(rng.permutation(slow), rng.permutation(fast), 0.5, 0.9, np.random.default_rng(1))
    assert isinstance(own, Interval)
    assert own.lower < 2.0 < own.upper
    assert own.point == pytest.approx(np.quantile(slow, 0.5) / np.quantile(fast, 0.5), rel=1e-3)
    assert width(own) > 2 * width(mixed)


def test_the_ratio_of_series_that_keep_apart_has_the_law_of_resampling():
    """The Beta rank stands in for resampling, so both must give the same interval up to Monte-Carlo error. Steps of
    the golden ratio have a correlation time of 1."""
    rng = np.random.default_rng(11)
    steps = np.arange(1, 901) * (np.sqrt(5) - 1) / 2 % 1
    slow, fast = np.exp(3.0 + steps[:700]), np.exp(2.7 + steps)
    shortcut = serial_quantile_ratio(slow, fast, 0.9, 0.9, rng, replicates=20_000)
    resampled = [
        np.quantile(rng.choice(slow, slow.size), 0.9, method="inverted_cdf")
        / np.quantile(rng.choice(fast, fast.size), 0.9, method="inverted_cdf")
        for _ in range(4_000)
    ]
    assert isinstance(shortcut, Interval)
    assert (shortcut.level, shortcut.n, shortcut.method) == (0.9, 700, RATIO_METHOD)
    assert (shortcut.lower, shortcut.upper) == pytest.approx(np.quantile(resampled, [0.05, 0.95]), rel=0.01)


def test_a_ratio_refuses_a_denominator_that_is_not_positive_and_fewer_replicates_than_its_tails_need():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"denominator is 0; a ratio needs positive values"):
        serial_quantile_ratio(np.ones(50), np.arange(50.0), 0.5, 0.9, rng)
    with pytest.raises(ValueError, match=r"replicates is 19; give a count of at least 20"):
        serial_quantile_ratio(np.ones(50), np.ones(50), 0.5, 0.9, rng, replicates=19)


def test_a_ratio_needs_both_series():
    found = serial_quantile_ratio([1.0] * 3, [1.0] * 500, 0.5, 0.9, np.random.default_rng(1))
    assert isinstance(found, NotEstimable)
    assert found.n == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "n", "service"),
    [
        (0.5, 20_000, EXPONENTIAL),
        (0.8, 60_000, EXPONENTIAL),
        (0.9, 100_000, EXPONENTIAL),
        (0.5, 20_000, UNEVEN),
        (0.8, 60_000, UNEVEN),
        (0.9, 100_000, UNEVEN),
    ],
)
@pytest.mark.long
def test_a_bound_of_p99_misses_about_as_often_as_it_says_where_independent_ones_miss_far_more(load, n, service):
    """Each bound of a 0.90 interval may miss in 5 % of the runs. 0.1 is 5 % and 3 standard errors of 150 runs."""
    rng, runs, level = np.random.default_rng(20), 150, 0.90
    truth = p99_ms(load, rng, service)
    samples = [latencies_ms(n, load, rng, service) for _ in range(runs)]
    own, plain = ([estimate(each, 0.99, level) for each in samples] for estimate in (serial_quantile, quantile))
    assert missed(own, truth) <= 0.10
    assert missed_below(own, truth) <= 0.10
    assert missed(plain, truth) > 0.2
    if service == EXPONENTIAL and load < 0.9:
        assert sum(isinstance(each, Interval) for each in own) > 0.9 * runs


def missed(estimates: list[Interval | NotEstimable], truth: float) -> float:
    """How often an upper bound was given that lies below the truth: what would be a false GO."""
    return float(np.mean([isinstance(each, Interval) and each.upper < truth for each in estimates]))


def missed_below(estimates: list[Interval | NotEstimable], truth: float) -> float:
    return float(np.mean([isinstance(each, Interval) and each.lower > truth for each in estimates]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "service"), [(0.5, EXPONENTIAL), (0.8, EXPONENTIAL), (0.9, EXPONENTIAL), (0.8, UNEVEN)]
)
def test_the_interval_of_p50_covers_about_as_often_as_it_says(load, service):
    rng, runs = np.random.default_rng(21), 200
    truth = np.log(2) / (1 - load)
    if service == UNEVEN:
        truth = float(np.quantile(latencies_ms(6_000_000, load, rng, service), 0.5))
    found = [serial_quantile(latencies_ms(30_000, load, rng, service), 0.5, 0.90) for _ in range(runs)]
    covered = np.mean([isinstance(each, Interval) and each.lower <= truth <= each.upper for each in found])
    assert covered >= 0.90 - 3 * np.sqrt(0.9 * 0.1 / runs)
