"""Latency and cost of the mix, against what can be computed otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import expon, norm

from evalkit.cascade.latency import Latencies, mixture_quantiles
from evalkit.cascade.saving import mix_reduction
from evalkit.stats.independent_sum import independent_sum
from evalkit.stats.interval import Interval, NotEstimable
from tests.unit.cascade.planted import stated


def one(measured: Latencies, share: float, q: float = 0.99, level: float = 0.9, seed: int = 1, rows: int = 10**6):
    (found,) = mixture_quantiles(measured, [(share, rows)], q, level, np.random.default_rng(seed))
    return found


def test_the_p99_of_normal_times_is_that_of_their_mixture():
    """Student N(10, 1), teacher N(50, 5), so together N(60, √26): the root of 0.8 Φ_1 + 0.2 Φ_2 = 0.99."""
    rng = np.random.default_rng(3)
    measured = Latencies(student_ms=rng.normal(10, 1, 20_000), teacher_ms=rng.normal(50, 5, 20_000))
    truth = brentq(lambda x: 0.8 * norm.cdf(x, 10, 1) + 0.2 * norm.cdf(x, 60, np.sqrt(26)) - 0.99, 0, 200)
    found = one(measured, 0.2)
    assert isinstance(found, Interval)
    assert found.point == pytest.approx(truth, rel=0.02)
    assert found.lower < truth < found.upper


def test_sending_none_leaves_the_students_quantile_and_more_is_never_faster():
    rng = np.random.default_rng(4)
    measured = Latencies(student_ms=rng.exponential(5, 3000), teacher_ms=rng.exponential(40, 3000))
    shares = [(share, 10**6) for share in (1e-9, 0.05, 0.2, 0.5, 0.9)]
    values = mixture_quantiles(measured, shares, 0.99, 0.9, rng)
    points = [each.point for each in values]
    assert points == sorted(points)
    assert points[0] == np.sort(measured.student_ms)[int(0.99 * 3000) - 1]


def test_few_samples_bound_no_p99_and_say_how_many_would():
    measured = Latencies(student_ms=np.ones(5000), teacher_ms=np.ones(100))
    found = one(measured, 0.1)
    assert isinstance(found, NotEstimable)
    assert found.n_needed == 299
    assert isinstance(one(Latencies(student_ms=np.empty(0), teacher_ms=np.ones(400)), 0.1), NotEstimable)


@pytest.mark.slow
@pytest.mark.long
def test_the_interval_of_the_mixtures_p99_covers_about_as_often_as_it_says():
    truth = brentq(
        lambda x: 0.9 * expon.cdf(x, scale=5) + 0.1 * _sum_cdf(x) - 0.99, 0, 1000
    )  # student exp(5), teacher exp(30)
    rng, covered = np.random.default_rng(5), 0
    for seed in range(200):
        measured = Latencies(student_ms=rng.exponential(5, 1000), teacher_ms=rng.exponential(30, 1000))
        found = one(measured, rng.binomial(2000, 0.1) / 2000, seed=seed, rows=2000)
        covered += found.lower <= truth <= found.upper
    assert 0.84 <= covered / 200 <= 0.96  # 0.9 ± 3 × sqrt(0.9 × 0.1 / 200)


def _sum_cdf(x: float) -> float:
    """The hypoexponential distribution of a sum of two exponentials with means 5 and 30."""
    return 1 - (30 * np.exp(-x / 30) - 5 * np.exp(-x / 5)) / 25


def test_the_saving_of_the_mix_by_hand():
    """800 and 100 USD a million, one request in eight sent on: 800 ÷ (100 + 100) = 4."""
    share = Interval(point=0.125, lower=0.1, upper=0.15, level=0.9, n=500, method="Wilson")
    found = mix_reduction(stated(8), share)
    assert isinstance(found, Interval)
    assert (found.lower, found.point, found.upper) == pytest.approx((1 / 0.275, 4, 1 / 0.225))
    assert (found.level, found.n) == (0.9, 500)


@pytest.mark.parametrize("level", [0.9, 1.0])
def test_a_student_as_dear_as_its_teacher_saves_less_than_nothing(level):
    share = Interval(point=0.2, lower=0.15, upper=0.25, level=0.9, n=500, method="Wilson")
    equal = Interval(point=1, lower=1, upper=1, level=level, n=9, method="")
    assert mix_reduction(equal, share).point == pytest.approx(1 / 1.2)


@pytest.mark.parametrize(
    "reduction",
    [NotEstimable(reason="void", n=0), Interval(point=1, lower=0, upper=2, level=0.9, n=9, method="")],
)
def test_an_unknown_saving_of_the_student_leaves_that_of_the_mix_unknown(reduction):
    share = Interval(point=0.2, lower=0.15, upper=0.25, level=0.9, n=500, method="Wilson")
    assert isinstance(mix_reduction(reduction, share), NotEstimable)
    assert isinstance(mix_reduction(stated(8), NotEstimable(reason="too few clusters", n=2)), NotEstimable)


def test_a_sum_of_two_levels_is_refused():
    one_, other = (Interval(point=1, lower=0, upper=2, level=level, n=9, method="") for level in (0.9, 0.95))
    with pytest.raises(ValueError, match=r"levels are 0\.9 and 0\.95"):
        independent_sum(one_, other)


def test_a_reduction_at_a_higher_level_gives_the_shares_level_and_one_at_a_lower_is_refused():
    share = Interval(point=0.2, lower=0.1, upper=0.3, level=0.9, n=9, method="")
    reduction = Interval(point=4, lower=3, upper=5, level=0.95, n=9, method="")
    assert mix_reduction(reduction, share).level == 0.9
    with pytest.raises(ValueError, match="levels are"):
        mix_reduction(replace(reduction, level=0.8), share)


def test_the_sum_of_two_normal_estimates_has_the_normal_interval():
    """Sides 1.645 × 3 and 1.645 × 4 make 1.645 × 5."""
    z = norm.ppf(0.95)
    first, second = (Interval(point=0, lower=-z * sd, upper=z * sd, level=0.9, n=9, method="") for sd in (3, 4))
    total = independent_sum(first, second)
    assert (total.lower, total.upper) == pytest.approx((-5 * z, 5 * z))
