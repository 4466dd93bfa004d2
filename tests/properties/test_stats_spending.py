"""What must hold of every plan of looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.spending import Spending, confidence_at, spent

kinds = st.sampled_from(["obrien_fleming", "pocock"])
plans = st.integers(1, 100)
alphas = st.floats(0.001, 0.2)


@given(plans, alphas, kinds)
def test_the_looks_together_spend_exactly_what_one_look_would(planned: int, alpha: float, kind: Spending) -> None:
    errors = [1 - (confidence_at(look, planned, 1 - alpha, kind) or 0.0) for look in range(1, planned + 1)]
    assert min(errors) > 0
    assert sum(errors) == pytest.approx(alpha, abs=1e-12)


@given(plans, alphas, kinds)
def test_what_is_spent_never_falls_and_ends_at_alpha(planned: int, alpha: float, kind: Spending) -> None:
    course = [spent(planned, look, alpha, kind) for look in range(planned + 1)]
    assert course == sorted(course)
    assert (course[0], course[-1]) == (0.0, alpha)


@given(st.integers(2, 100), alphas, st.data())
def test_obrien_fleming_has_spent_less_than_pocock_at_every_look_before_the_last(
    planned: int, alpha: float, data: st.DataObject
) -> None:
    look = data.draw(st.integers(1, planned - 1))
    assert spent(planned, look, alpha, "obrien_fleming") < spent(planned, look, alpha, "pocock") < alpha


@given(plans, alphas, kinds, st.data())
def test_a_look_is_never_less_strict_than_a_single_one(
    planned: int, alpha: float, kind: Spending, data: st.DataObject
) -> None:
    look = data.draw(st.integers(1, planned))
    confidence = confidence_at(look, planned, 1 - alpha, kind)
    assert confidence is not None
    assert confidence >= 1 - alpha - 1e-12
