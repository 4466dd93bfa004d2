from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.retention import (
    METHOD,
    p_retention_above,
    p_retention_below,
    retention,
    tang_bounds,
    tang_z,
)

TEACHER_NEVER_RIGHT = PairedCounts(both=0, student_only=7, teacher_only=0, neither=3)


def test_a_teacher_without_a_right_row_leaves_nothing_to_retain() -> None:
    kept = retention(TEACHER_NEVER_RIGHT, level=0.95)
    assert isinstance(kept, NotEstimable)
    assert kept.n == 10
    assert "teacher is right on no row" in kept.reason


def test_a_retention_that_is_not_estimable_rejects_nothing() -> None:
    assert p_retention_above(TEACHER_NEVER_RIGHT, bar=0.95) == 1.0
    assert p_retention_below(TEACHER_NEVER_RIGHT, bar=0.95) == 1.0


def test_interval_says_its_point_level_rows_and_method() -> None:
    kept = retention(PairedCounts(both=70, student_only=2, teacher_only=10, neither=18), level=0.9)
    assert isinstance(kept, Interval)
    assert (kept.point, kept.level, kept.n, kept.method) == (0.9, 0.9, 100, METHOD)


def test_a_student_that_is_never_right_is_bounded_by_hand() -> None:
    """With only c = m: the share q is 1/(1 + φ), T = −sqrt(m φ), so the upper bound is z²/m."""
    lower, upper = tang_bounds(0, 0, 40, level=0.95)
    assert float(lower) == 0.0
    assert float(upper) == pytest.approx(1.959964**2 / 40, rel=1e-6)


def test_the_share_of_losses_under_the_null_is_the_maximum_likelihood_one() -> None:
    """The statistic implies a variance; a grid search over the restricted likelihood must find the same."""
    a, b, c, phi = 40, 6, 14, 0.9
    shares = np.linspace(max(0, 1 - phi) + 1e-7, 1 / (1 + phi) - 1e-7, 2_000_001)
    likelihood = a * np.log((1 - shares) / phi - shares) + b * np.log(1 - (1 - shares) / phi) + c * np.log(shares)
    best = shares[likelihood.argmax()]
    by_hand = (a + b - phi * (a + c)) / np.sqrt((a + b + c) * ((phi - 1) + (phi + 1) * best))
    assert float(tang_z(a, b, c, phi)) == pytest.approx(by_hand, rel=1e-6)


def test_bounds_of_many_tables_are_those_of_each() -> None:
    lower, upper = tang_bounds([43, 446], [0, 5], [1, 16], level=0.9)
    np.testing.assert_allclose([lower[1], upper[1]], np.array(tang_bounds(446, 5, 16, level=0.9)))
    assert lower.shape == (2,)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((-1, 0, 10), r"both is -1; a count is at least 0"),
        ((5, -3, 10), r"student_only is -3; a count is at least 0"),
        ((5, 3, -2), r"teacher_only is -2; a count is at least 0"),
        ((0, 3, 0), r"both \+ teacher_only is 0; a retention needs a row the teacher gets right"),
    ],
)
def test_impossible_counts_are_named(counts: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tang_bounds(*counts, level=0.95)


@pytest.mark.parametrize("bar", [0.0, -0.95, float("inf"), float("nan")])
def test_a_bar_that_is_not_positive_is_refused(bar: float) -> None:
    for p_value in (p_retention_above, p_retention_below):
        with pytest.raises(ValueError, match=r"bar is .*; give a finite number above 0"):
            p_value(TEACHER_NEVER_RIGHT, bar)


def test_a_ratio_or_level_outside_its_domain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ratio is 0; give a finite ratio above 0"):
        tang_z(5, 1, 1, 0.0)
    with pytest.raises(ValueError, match=r"level is 1.0"):
        retention(TEACHER_NEVER_RIGHT, level=1.0)
