from __future__ import annotations

import time

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import (
    METHOD,
    difference,
    p_not_worse,
    p_worse,
    tango_bounds,
    tango_z,
)

NO_ROWS = PairedCounts(both=0, student_only=0, teacher_only=0, neither=0)


def test_no_rows_are_missing_evidence_and_not_a_difference_of_zero() -> None:
    assert difference(NO_ROWS, level=0.95) == NotEstimable(reason="there are no rows", n=0, n_needed=1)


def test_no_rows_reject_neither_hypothesis() -> None:
    assert p_not_worse(NO_ROWS, margin=0.05) == 1.0
    assert p_worse(NO_ROWS, margin=0.05) == 1.0


def test_interval_says_its_level_rows_and_method() -> None:
    gap = difference(PairedCounts(both=50, student_only=5, teacher_only=9, neither=36), level=0.9)
    assert isinstance(gap, Interval)
    assert (gap.point, gap.level, gap.n, gap.method) == (-0.04, 0.9, 100, METHOD)


@pytest.mark.parametrize(("student_only", "teacher_only"), [(1, 0), (0, 1), (0, 0)])
def test_one_row_gives_an_interval_with_width(student_only: int, teacher_only: int) -> None:
    lower, upper = tango_bounds(student_only, teacher_only, 1, level=0.95)
    assert upper - lower > 0.5
    assert (float(upper) == 1.0) == (student_only == 1)
    assert (float(lower) == -1.0) == (teacher_only == 1)


def test_bounds_when_the_student_alone_is_right_on_every_row_solve_the_score_by_hand() -> None:
    """For b = n, Δ0 = −d: q = (1 + d)/2, T = sqrt(n (1 + d)/(1 − d)): z at −d = (n − z²)/(n + z²)."""
    z_squared = 1.959964**2
    lower, upper = tango_bounds(50, 0, 50, level=0.95)
    assert float(lower) == pytest.approx((50 - z_squared) / (50 + z_squared), abs=1e-6)
    assert float(upper) == 1.0


def test_a_thousand_subpopulations_take_milliseconds() -> None:
    counts = np.random.default_rng(0).integers(0, 50, size=(2, 1000))
    started = time.perf_counter()
    lower, upper = tango_bounds(counts[0], counts[1], 500, level=0.9)
    assert time.perf_counter() - started < 1.0  # some 15 ms; the rest is a busy machine
    assert lower.shape == upper.shape == (1000,)
    one_by_one = [tango_bounds(b, c, 500, level=0.9)[0] for b, c in counts.T[:5]]
    np.testing.assert_allclose(lower[:5], one_by_one)


def test_arguments_broadcast() -> None:
    lower, _ = tango_bounds([[1], [2]], [0, 3, 5], 40, level=0.9)
    assert lower.shape == (2, 3)
    assert tango_z(3, 5, 40, np.zeros(7)).shape == (7,)


def test_a_bound_of_a_ninety_percent_interval_is_a_one_sided_five_percent_test() -> None:
    counts = PairedCounts(both=700, student_only=30, teacher_only=38, neither=232)
    gap = difference(counts, level=0.9)
    assert isinstance(gap, Interval)
    assert p_not_worse(counts, margin=-gap.lower) == pytest.approx(0.05, abs=1e-9)
    worse = PairedCounts(both=700, student_only=30, teacher_only=138, neither=132)
    loss = difference(worse, level=0.9)
    assert isinstance(loss, Interval)
    assert p_worse(worse, margin=-loss.upper) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((-1, 0, 10), r"student_only is -1; a count is at least 0"),
        ((0, -2, 10), r"teacher_only is -2; a count is at least 0"),
        ((0, 0, 0), r"n is 0; a difference needs at least 1 row"),
        ((6, 5, 10), r"student_only \+ teacher_only - n is 1; they are among the n rows"),
    ],
)
def test_impossible_counts_are_named(counts: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tango_bounds(*counts, level=0.95)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_that_is_no_fraction_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"level is .*; give a fraction in \(0, 1\)"):
        difference(NO_ROWS, level=level)


@pytest.mark.parametrize("margin", [0.0, 5, -0.05])
def test_a_margin_that_is_no_fraction_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match=r"margin is .*; give a fraction in \(0, 1\)"):
        p_not_worse(NO_ROWS, margin)
    with pytest.raises(ValueError, match=r"margin is .*; give a fraction in \(0, 1\)"):
        p_worse(NO_ROWS, margin)


def test_a_difference_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"difference is -1.5; .* lies in \[-1, 1\]"):
        tango_z(1, 1, 10, [0.0, -1.5])
