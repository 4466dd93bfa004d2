from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from loadtest.plan import Arrivals, OpenLoopPlan
from loadtest.rate_shape import RateShape, ShapeKind
from loadtest.schedule import intended_times, payload_order, read_schedule, schedule_of, split, write_schedule


def plan(arrivals: Arrivals = Arrivals.POISSON, rate_rps: float = 500.0, seed: int = 1, **fields: Any) -> OpenLoopPlan:
    if arrivals is Arrivals.GAMMA:
        fields = {"gap_cv": 2.0, **fields}
    return OpenLoopPlan(
        url="http://127.0.0.1:1",
        rate_rps=rate_rps,
        duration_s=95.0,
        warmup_s=5.0,
        seed=seed,
        arrivals=arrivals,
        **fields,
    )


def test_the_same_seed_gives_the_same_times_and_another_seed_others() -> None:
    times = intended_times(plan(seed=1))
    np.testing.assert_array_equal(times, intended_times(plan(seed=1)))
    assert not np.array_equal(times[:100], intended_times(plan(seed=2))[:100])


@pytest.mark.parametrize("arrivals", [Arrivals.POISSON, Arrivals.CONSTANT, Arrivals.GAMMA])
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


@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_gamma_gaps_have_the_planned_mean_and_variation(cv: float, seed: int) -> None:
    gaps = np.diff(intended_times(plan(Arrivals.GAMMA, seed=seed, gap_cv=cv)))
    # the mean of n gaps of coefficient of variation c errs by c/sqrt(n)
    assert gaps.mean() == pytest.approx(1 / 500, rel=4 * cv / np.sqrt(len(gaps)))
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.1)


def test_a_gamma_process_has_its_rate_from_the_first_moment() -> None:
    """Its first gap is that of a stationary renewal process: the count in the first 4 gaps' time is 4."""
    counts = [
        (intended_times(plan(Arrivals.GAMMA, rate_rps=1.0, seed=seed, gap_cv=3.0)) < 4.0).sum() for seed in range(2000)
    ]
    assert np.mean(counts) == pytest.approx(4.0, abs=4 * np.std(counts) / np.sqrt(2000))


@pytest.mark.parametrize("kind", list(ShapeKind))
def test_a_shaped_poisson_process_is_poisson_in_its_own_time(kind: ShapeKind) -> None:
    """Sent through the integral of the rate, its points are uniform (Kolmogorov-Smirnov at 1 %)."""
    shape = RateShape(kind=kind, rates_rps=(200.0, 800.0))
    times = intended_times(plan(shape=shape))
    beyond = np.maximum(times - 5.0, 0.0)
    if kind is ShapeKind.RAMP:
        integral = 200 * times + 600 / 95 * beyond**2 / 2
    else:
        integral = 200 * times + 600 * np.maximum(times - 5.0 - 47.5, 0.0)
    assert kstest(integral / (200 * 5 + 500 * 95), "uniform").pvalue > 0.01
    gaps = np.diff(integral)
    assert kstest(gaps, "expon").pvalue > 0.01
    assert len(times) == pytest.approx(48_500, abs=4 * np.sqrt(48_500))


def test_the_parts_of_several_workers_are_the_schedule_and_each_is_poisson() -> None:
    whole = schedule_of(plan(), 7)
    parts = split(whole, 3, 1)
    numbers = np.concatenate([part.number for part in parts])
    order = np.argsort(numbers)
    np.testing.assert_array_equal(numbers[order], whole.number)
    for name in ("intended_s", "payload", "checked"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts])[order], getattr(whole, name)
        )
    for part in parts:
        assert kstest(np.diff(part.intended_s) * 500 / 3, "expon").pvalue > 0.01
    counts = [np.histogram(part.intended_s, bins=np.linspace(0, 100, 1001))[0] for part in parts]
    assert abs(np.corrcoef(counts)[0, 1]) < 4 / np.sqrt(1000)  # independent of each other


def test_one_worker_has_the_whole_schedule_and_it_survives_its_file(tmp_path: Path) -> None:
    (part,) = split(schedule_of(plan(check_share=0.25), 5), 1, 1)
    assert part.checked.mean() == pytest.approx(0.25, abs=0.01)
    write_schedule(tmp_path / "part", part)
    again = read_schedule(tmp_path / "part")
    np.testing.assert_array_equal(again.intended_s, part.intended_s)
    np.testing.assert_array_equal(again.checked, part.checked)
