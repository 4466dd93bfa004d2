"""What must hold of the retention interval on every table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from evalkit.stats.interval import Interval
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.retention import (
    p_retention_above,
    p_retention_below,
    retention,
    tang_bounds,
    tang_z,
)

levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@st.composite
def tables(draw: st.DrawFn, least_both: int = 0) -> PairedCounts:
    both = draw(st.integers(least_both, 300))
    student_only, teacher_only, neither = (draw(st.integers(0, 300)) for _ in range(3))
    if both + teacher_only == 0:
        both = 1
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def estimated(counts: PairedCounts, level: float) -> Interval:
    kept = retention(counts, level)
    assert isinstance(kept, Interval)
    return kept


@settings(deadline=None)
@given(tables(least_both=1), levels)
def test_swapping_student_and_teacher_inverts_the_interval(counts: PairedCounts, level: float) -> None:
    swapped = PairedCounts(
        both=counts.both,
        student_only=counts.teacher_only,
        teacher_only=counts.student_only,
        neither=counts.neither,
    )
    kept, inverted = estimated(counts, level), estimated(swapped, level)
    assert (inverted.lower, inverted.upper) == pytest.approx((1 / kept.upper, 1 / kept.lower), rel=1e-7)


@settings(deadline=None)
@given(tables(), levels)
def test_interval_excludes_one_exactly_when_uncorrected_mcnemar_rejects(counts: PairedCounts, level: float) -> None:
    kept = estimated(counts, level)
    b, c = counts.student_only, counts.teacher_only
    mcnemar = abs(b - c) / np.sqrt(b + c) if b + c else 0.0
    assert (kept.lower > 1 or kept.upper < 1) == (mcnemar > norm.ppf((1 + level) / 2))


@settings(deadline=None)
@given(st.integers(1, 10**6), levels)
def test_interval_without_discordant_rows_is_its_closed_form(right: int, level: float) -> None:
    z = norm.ppf((1 + level) / 2)
    lower, upper = tang_bounds(right, 0, 0, level)
    assert float(lower) == pytest.approx(right / (right + z**2), rel=1e-9)
    assert float(upper) == pytest.approx(1 + z**2 / right, rel=1e-9)


@settings(deadline=None)
@given(tables(), levels)
def test_interval_has_width_and_holds_its_point(counts: PairedCounts, level: float) -> None:
    kept = estimated(counts, level)
    assert 0 <= kept.lower <= kept.point <= kept.upper < np.inf
    assert kept.upper - kept.lower > 1e-9


@settings(deadline=None)
@given(tables(), levels, st.integers(0, 10_000))
def test_rows_that_both_get_wrong_do_not_move_the_interval(counts: PairedCounts, level: float, neither: int) -> None:
    padded = PairedCounts(
        both=counts.both,
        student_only=counts.student_only,
        teacher_only=counts.teacher_only,
        neither=neither,
    )
    kept, same = estimated(counts, level), estimated(padded, level)
    assert (kept.lower, kept.upper) == (same.lower, same.upper)


@settings(deadline=None)
@given(tables())
def test_score_never_rises_with_the_ratio_under_test(counts: PairedCounts) -> None:
    ratios = np.geomspace(1e-3, 1e3, 301)
    scores = tang_z(counts.both, counts.student_only, counts.teacher_only, ratios)
    assert np.all(np.diff(scores) <= 1e-6)


@settings(deadline=None, max_examples=50)
@given(tables(), st.floats(0.5, 1.2), st.sampled_from([0.01, 0.05, 0.1]))
def test_p_values_and_bounds_agree_on_the_bar(counts: PairedCounts, bar: float, alpha: float) -> None:
    kept = estimated(counts, level=1 - 2 * alpha)
    if min(abs(kept.lower - bar), abs(kept.upper - bar)) > 1e-7:
        assert (p_retention_above(counts, bar) < alpha) == (kept.lower > bar)
        assert (p_retention_below(counts, bar) < alpha) == (kept.upper < bar)


@settings(deadline=None, max_examples=50)
@given(st.integers(4000, 6000), st.integers(300, 900), st.integers(300, 900), st.sampled_from([0.8, 0.9, 0.95]))
def test_large_samples_agree_with_the_delta_method(both: int, b: int, c: int, level: float) -> None:
    """Var(log ratio) ≈ (b + c) / (s t), with s and t the right rows of student and teacher."""
    kept = estimated(PairedCounts(both=both, student_only=b, teacher_only=c, neither=1000), level)
    student, teacher = both + b, both + c
    half = norm.ppf((1 + level) / 2) * np.sqrt((b + c) / (student * teacher))
    assert np.log([kept.lower, kept.upper]) == pytest.approx(
        np.log(student / teacher) + np.array([-half, half]), abs=0.03 * half
    )
