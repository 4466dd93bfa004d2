"""What must hold of the paired bootstrap for every table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.stats.bca import carrying_units
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Estimate, Interval, NotEstimable

levels = st.sampled_from([0.5, 0.8, 0.9, 0.95])
gaps = st.lists(st.integers(-3, 3), min_size=0, max_size=60).map(np.array)
seeds = st.integers(0, 2**32 - 1)


def mean(values: np.ndarray, level: float, seed: int, sign: int = 1, **given: np.ndarray) -> Estimate:
    terms = np.stack([values, np.ones(len(values))], axis=1).astype(float)
    rng = np.random.default_rng(seed)
    return bootstrap_sums(terms, lambda sums: sign * sums[..., 0] / sums[..., 1], level, rng, replicates=400, **given)


@settings(deadline=None, max_examples=80)
@given(gaps, levels, seeds)
def test_an_estimate_has_finite_bounds_with_width_or_a_reason(values: np.ndarray, level: float, seed: int) -> None:
    found = mean(values, level, seed)
    if isinstance(found, NotEstimable):
        assert found.reason
        assert found.n == len(values)
        assert found.n_needed is None or found.n_needed > found.n
        return
    assert math.isfinite(found.lower)
    assert math.isfinite(found.upper)
    assert values.min() <= found.lower < found.upper <= values.max()
    assert found.n == len(values)


@settings(deadline=None, max_examples=60)
@given(gaps, levels, seeds)
def test_swapping_the_models_mirrors_the_interval(values: np.ndarray, level: float, seed: int) -> None:
    one, other = mean(values, level, seed), mean(values, level, seed, sign=-1)
    assert type(one) is type(other)
    if isinstance(one, Interval) and isinstance(other, Interval):
        assert (-other.upper, -other.point, -other.lower) == pytest.approx((one.lower, one.point, one.upper), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(gaps, levels, seeds, st.integers(-50, 50))
def test_shifting_every_row_shifts_the_interval(values: np.ndarray, level: float, seed: int, shift: int) -> None:
    here, there = mean(values, level, seed), mean(values + shift, level, seed)
    assert type(here) is type(there)
    if isinstance(here, Interval) and isinstance(there, Interval):
        assert (there.lower, there.upper) == pytest.approx((here.lower + shift, here.upper + shift), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(gaps, levels, seeds)
def test_clusters_of_one_row_are_rows(values: np.ndarray, level: float, seed: int) -> None:
    alone, clustered = mean(values, level, seed), mean(values, level, seed, clusters=np.arange(len(values)))
    assert type(alone) is type(clustered)
    if isinstance(alone, Interval) and isinstance(clustered, Interval):
        assert (alone.lower, alone.upper, alone.n) == (clustered.lower, clustered.upper, clustered.n)


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=60))
def test_between_one_and_all_units_carry_the_spread(values: list[int]) -> None:
    carrying = carrying_units(values)
    assert math.isnan(carrying) == (len(set(values)) == 1)
    assert math.isnan(carrying) or 1 <= carrying <= len(values) + 1e-9
