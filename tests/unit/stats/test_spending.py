"""Looks at the same held-out set: what each may spend, and what is left beyond the plan."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from evalkit.stats.spending import confidence_at, spent


def test_one_planned_look_judges_at_the_confidence_asked_for() -> None:
    for kind in ("obrien_fleming", "pocock"):
        assert confidence_at(1, 1, 0.95, kind) == pytest.approx(0.95, abs=1e-15)


def test_a_look_beyond_the_plan_has_nothing_left_to_spend() -> None:
    assert confidence_at(4, 3, 0.95, "pocock") is None
    assert confidence_at(400, 3, 0.95, "obrien_fleming") is None
    assert spent(3, 4, 0.05, "pocock") == spent(3, 3, 0.05, "pocock") == 0.05


def test_the_third_pocock_look_spends_its_own_increment_only() -> None:
    """By hand: 0.05 (ln(1 + 1.71828 · 3/4) − ln(1 + 1.71828 · 2/4)) = 0.05 · (0.82799 − 0.62011)."""
    assert confidence_at(3, 4, 0.95, "pocock") == pytest.approx(1 - 0.05 * (0.82799 - 0.62011), abs=1e-6)


def test_obrien_fleming_keeps_nearly_all_for_the_last_look_and_pocock_does_not() -> None:
    assert spent(5, 1, 0.05, "obrien_fleming") < 0.0001 < 0.01 < spent(5, 1, 0.05, "pocock")
    assert confidence_at(5, 5, 0.95, "obrien_fleming") < confidence_at(5, 5, 0.95, "pocock")  # type: ignore[operator]


@pytest.mark.parametrize("look", range(1, 101))
def test_a_hundred_planned_looks_each_have_a_confidence_below_1(look: int) -> None:
    """The first O'Brien–Fleming increments are below 1e-80; a confidence of 1 would have an infinite quantile."""
    confidence = confidence_at(look, 100, 0.95, "obrien_fleming")
    assert confidence is not None
    assert 0.95 < confidence < 1
    assert math.isfinite(norm.ppf(confidence))


def test_plans_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="planned is 0"):
        spent(0, 1, 0.05, "pocock")
    with pytest.raises(ValueError, match="look is -1"):
        spent(3, -1, 0.05, "pocock")
    with pytest.raises(ValueError, match="look is 0; give a count of at least 1"):
        confidence_at(0, 3, 0.95, "pocock")
    with pytest.raises(ValueError, match="confidence is 95"):
        confidence_at(1, 3, 95, "pocock")
    with pytest.raises(ValueError, match="kind is 'bonferroni'; give obrien_fleming or pocock"):
        spent(3, 1, 0.05, "bonferroni")  # type: ignore[arg-type]
