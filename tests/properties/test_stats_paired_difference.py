"""What must hold of the Tango interval on every table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from evalkit.stats.interval import Interval
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference, p_not_worse, p_worse, tango_bounds, tango_z

levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
margins = st.floats(0.001, 0.5)


@st.composite
def tables(draw: st.DrawFn, most: int = 300) -> PairedCounts:
    both, student_only, teacher_only, neither = (draw(st.integers(0, most)) for _ in range(4))
    if both + student_only + teacher_only + neither == 0:
        neither = 1
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def estimated(counts: PairedCounts, level: float) -> Interval:
    gap = difference(counts, level)
    assert isinstance(gap, Interval)
    return gap


@settings(deadline=None)
@given(tables(), levels)
def test_swapping_student_and_teacher_negates_and_swaps_the_interval(counts: PairedCounts, level: float) -> None:
    swapped = PairedCounts(
        both=counts.both,
        student_only=counts.teacher_only,
        teacher_only=counts.student_only,
        neither=counts.neither,
    )
    gap, mirrored = estimated(counts, level), estimated(swapped, level)
    assert mirrored.point == -gap.point
    assert (mirrored.lower, mirrored.upper) == pytest.approx((-gap.upper, -gap.lower), abs=1e-12)


@settings(deadline=None)
@given(tables(), levels)
def test_interval_excludes_zero_exactly_when_uncorrected_mcnemar_rejects(counts: PairedCounts, level: float) -> None:
    gap = estimated(counts, level)
    b, c = counts.student_only, counts.teacher_only
    mcnemar = abs(b - c) / np.sqrt(b + c) if b + c else 0.0
    assert (gap.lower > 0 or gap.upper < 0) == (mcnemar > norm.ppf((1 + level) / 2))


@settings(deadline=None)
@given(st.integers(1, 10**7), levels)
def test_interval_without_discordant_rows_is_its_closed_form(n: int, level: float) -> None:
    z = norm.ppf((1 + level) / 2)
    lower, upper = tango_bounds(0, 0, n, level)
    assert float(upper) == pytest.approx(z**2 / (n + z**2), rel=1e-9)
    assert float(lower) == pytest.approx(-float(upper), rel=1e-12)


@settings(deadline=None)
@given(tables(), levels)
def test_interval_has_width_holds_its_point_and_stays_within_minus_one_and_one(
    counts: PairedCounts, level: float
) -> None:
    gap = estimated(counts, level)
    assert -1 <= gap.lower <= gap.point <= gap.upper <= 1
    assert gap.upper - gap.lower > 1e-9


@settings(deadline=None)
@given(tables(), levels)
def test_score_at_a_bound_inside_the_domain_is_the_normal_quantile(counts: PairedCounts, level: float) -> None:
    gap = estimated(counts, level)
    z = norm.ppf((1 + level) / 2)
    for bound, expected in ((gap.lower, z), (gap.upper, -z)):
        if abs(bound) < 1:
            score = tango_z(counts.student_only, counts.teacher_only, counts.n, bound)
            assert float(score) == pytest.approx(expected, rel=1e-5)


@settings(deadline=None)
@given(tables())
def test_score_never_rises_with_the_difference_under_test(counts: PairedCounts) -> None:
    nulls = np.linspace(-0.999, 0.999, 201)
    scores = tango_z(counts.student_only, counts.teacher_only, counts.n, nulls)
    assert np.all(np.diff(scores) <= 1e-9)


@settings(deadline=None)
@given(st.integers(1, 400), st.data(), st.floats(-0.9, 0.9))
def test_score_rises_with_the_students_share_of_the_discordant_rows(n: int, data: st.DataObject, null: float) -> None:
    """The exact power relies on this: for each number of discordant rows one count divides the outcomes."""
    discordant = data.draw(st.integers(0, n))
    gained = np.arange(discordant + 1)
    assert np.all(np.diff(tango_z(gained, discordant - gained, n, null)) >= -1e-9)


@settings(deadline=None)
@given(tables(), margins, st.sampled_from([0.01, 0.05, 0.1]))
def test_p_values_and_bounds_agree_on_the_margin(counts: PairedCounts, margin: float, alpha: float) -> None:
    gap = estimated(counts, level=1 - 2 * alpha)
    if min(abs(gap.lower + margin), abs(gap.upper + margin)) > 1e-9:
        assert (p_not_worse(counts, margin) < alpha) == (gap.lower > -margin)
        assert (p_worse(counts, margin) < alpha) == (gap.upper < -margin)


@settings(deadline=None)
@given(tables(), margins, margins)
def test_a_tighter_margin_never_makes_harm_harder_to_show(counts: PairedCounts, one: float, other: float) -> None:
    tight, wide = sorted((one, other))
    assert p_worse(counts, tight) <= p_worse(counts, wide) + 1e-12
    assert p_not_worse(counts, tight) >= p_not_worse(counts, wide) - 1e-12


@settings(deadline=None)
@given(tables(most=60))
def test_ten_times_the_same_rows_narrow_the_interval(counts: PairedCounts) -> None:
    b, c, n = counts.student_only, counts.teacher_only, counts.n
    lower, upper = tango_bounds([b, 10 * b], [c, 10 * c], [n, 10 * n], level=0.95)
    assert upper[1] - lower[1] < upper[0] - lower[0]
