"""What must hold of planned and further rows for every plan."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import p_not_worse, p_worse, tango_z
from evalkit.stats.retention import p_retention_above, p_retention_below, tang_z
from evalkit.stats.sample_size import (
    feasibility_floor,
    further_rows,
    further_rows_retention,
    power_not_worse,
    rows_for_power,
)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.002, 0.5), st.floats(-1, 1), st.floats(0.02, 0.2), st.sampled_from([0.5, 0.8, 0.9]))
def test_planned_rows_reach_the_power_and_one_row_less_does_not(
    discordance: float, direction: float, margin: float, power: float
) -> None:
    difference = direction * discordance
    assume(difference > -0.8 * margin)
    rows = rows_for_power(difference, discordance, margin, 0.95, power)
    assert rows is not None
    assert power_not_worse(rows, difference, discordance, margin, 0.95) >= power
    assert rows == 1 or power_not_worse(rows - 1, difference, discordance, margin, 0.95) < power


@settings(deadline=None)
@given(st.floats(0.001, 0.9), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_identical_students_pass_from_the_feasibility_floor_on(margin: float, confidence: float) -> None:
    floor = feasibility_floor(margin, confidence)
    assert p_not_worse(PairedCounts(both=floor, student_only=0, teacher_only=0, neither=0), margin) < (1 - confidence)
    if floor > 1:
        fewer = PairedCounts(both=floor - 1, student_only=0, teacher_only=0, neither=0)
        assert p_not_worse(fewer, margin) >= 1 - confidence


counts_of_a_claim = st.builds(
    PairedCounts,
    both=st.integers(0, 400),
    student_only=st.integers(0, 30),
    teacher_only=st.integers(0, 30),
    neither=st.integers(0, 200),
)


@settings(deadline=None, max_examples=60)
@given(counts_of_a_claim, st.sampled_from([0.02, 0.05, 0.1]))
def test_open_difference_claims_need_more_rows_and_those_rows_decide_at_the_observed_rates(
    counts: PairedCounts, margin: float
) -> None:
    assume(p_not_worse(counts, margin) >= 0.05 and p_worse(counts, margin) >= 0.05)
    further = further_rows(counts, margin, confidence=0.95)
    if further is None:
        gap = (counts.student_only - counts.teacher_only) / counts.n
        assert abs(gap + margin) < 0.001
        return
    assert further >= 1
    if counts.n:
        growth = (counts.n + further) / counts.n
        grown = (growth * counts.student_only, growth * counts.teacher_only, counts.n + further)
        assert abs(tango_z(*grown, -margin)) > norm.ppf(0.95)


@settings(deadline=None, max_examples=60)
@given(counts_of_a_claim, st.sampled_from([0.9, 0.95, 0.99]))
def test_open_retention_claims_need_more_rows_and_those_rows_decide_at_the_observed_rates(
    counts: PairedCounts, bar: float
) -> None:
    assume(counts.teacher_right > 0)
    assume(p_retention_above(counts, bar) >= 0.05 and p_retention_below(counts, bar) >= 0.05)
    further = further_rows_retention(counts, bar, confidence=0.95)
    if further is None:
        assert abs(counts.student_right / counts.teacher_right - bar) < 0.003
        return
    assert further >= 1
    growth = (counts.n + further) / counts.n
    grown = (growth * counts.both, growth * counts.student_only, growth * counts.teacher_only)
    assert abs(tang_z(*grown, bar)) > norm.ppf(0.95)
