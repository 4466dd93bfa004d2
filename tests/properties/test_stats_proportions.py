"""What must hold of single proportions, McNemar's mid-p and Holm's adjustment for every input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.stats.interval import Interval
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.proportions import proportion

levels = st.sampled_from([0.5, 0.8, 0.9, 0.95])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_is_the_definition_of_holm_1979(p_values: list[float]) -> None:
    adjusted, highest = [0.0] * len(p_values), 0.0
    for position, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[index]))
        adjusted[index] = highest
    np.testing.assert_allclose(holm(p_values), adjusted)


@settings(deadline=None)
@given(st.integers(1, 5000), st.data(), levels)
def test_proportions_of_success_and_failure_mirror_each_other(n: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, n))
    right, wrong = proportion(successes, n, level), proportion(n - successes, n, level)
    assert isinstance(right, Interval)
    assert isinstance(wrong, Interval)
    assert 0 <= right.lower <= right.point <= right.upper <= 1
    assert right.lower < right.upper
    assert (right.lower, right.upper) == pytest.approx((1 - wrong.upper, 1 - wrong.lower), abs=1e-9)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mid_p_is_symmetric_a_probability_and_one_at_equality(b: int, c: int) -> None:
    one = mid_p(PairedCounts(both=5, student_only=b, teacher_only=c, neither=5))
    assert one == mid_p(PairedCounts(both=9, student_only=c, teacher_only=b, neither=0))
    assert 0 < one <= 1
    assert (one > 1 - 1e-12) == (b == c)
