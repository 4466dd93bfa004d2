from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from evalkit.planning.assumptions import Assumptions
from evalkit.planning.claim_power import (
    accuracy_power,
    accuracy_rows,
    gap_power,
    gap_rows,
    retention_power,
    retention_rows,
    weighted_power,
    weighted_rows,
)
from evalkit.planning.rates import NOTHING, Rates, overall_rates
from evalkit.stats.proportions import proportion_bounds
from evalkit.stats.retention import tang_z
from evalkit.stats.sample_size import power_not_worse


def rates(difference: float = 0.0, discordance: float = 0.1, accuracy: float = 0.8) -> Rates:
    return overall_rates(
        NOTHING, Assumptions(difference=difference, discordance=discordance, teacher_accuracy=accuracy)
    )


def test_the_power_of_a_gap_is_that_of_the_exact_enumeration() -> None:
    assert gap_power(600, rates(), 0.03, 0.95) == power_not_worse(600, 0.0, 0.1, margin=0.03, confidence=0.95)
    assert round(gap_power(600, rates(), 0.03, 0.95), 3) == 0.741


def test_the_rows_of_a_gap_reach_the_power_and_one_less_does_not() -> None:
    needed = gap_rows(rates(), 0.05, 0.95, 0.9)
    assert needed is not None
    assert gap_power(needed, rates(), 0.05, 0.95) >= 0.9 > gap_power(needed - 1, rates(), 0.05, 0.95)


def test_no_number_of_rows_shows_a_student_that_is_as_bad_as_the_margin() -> None:
    assert gap_rows(rates(difference=-0.05), 0.05, 0.95, 0.8) is None
    assert retention_rows(rates(difference=-0.04), 0.95, 0.95, 0.8) is None  # 0.76 of 0.80 is 95 %
    assert accuracy_rows(0.8, 0.8, 0.95, 0.8) is None


def test_more_than_ten_million_rows_are_as_good_as_none() -> None:
    assert gap_rows(rates(difference=-0.0499), 0.05, 0.95, 0.8) is None
    assert retention_rows(rates(difference=-0.0399), 0.95, 0.95, 0.8) is None
    assert accuracy_rows(0.8001, 0.8, 0.95, 0.8) is None


@pytest.mark.parametrize("n", [120, 400])
def test_the_power_of_retention_is_how_often_simulated_rows_show_it(n: int) -> None:
    both, gained, lost, _ = np.random.default_rng(7).multinomial(n, rates().chances, 40_000).T
    shown = np.mean(tang_z(both, gained, lost, 0.95) > norm.ppf(0.95))
    assert retention_power(n, rates(), 0.95, 0.95) == pytest.approx(shown, abs=0.01)


def test_the_rows_of_retention_reach_its_power() -> None:
    needed = retention_rows(rates(), 0.95, 0.95, 0.8)
    assert needed is not None
    assert retention_power(needed, rates(), 0.95, 0.95) >= 0.8 > retention_power(needed - 1, rates(), 0.95, 0.95)


def test_the_power_of_the_teachers_accuracy_is_the_chance_of_enough_right_rows() -> None:
    """Summed over every count whose Wilson bound lies above the bar."""
    n, accuracy, bar = 150, 0.9, 0.82
    counts = np.arange(n + 1)
    lower, _ = proportion_bounds(counts, n, 0.90)
    chance = [math.comb(n, k) * accuracy**k * (1 - accuracy) ** (n - k) for k in counts.tolist()]
    expected = sum(each for each, bound in zip(chance, lower, strict=True) if bound > bar)
    assert 0.5 < expected < 0.99
    assert accuracy_power(n, accuracy, bar, 0.95) == pytest.approx(expected)


def test_one_group_with_all_the_weight_needs_about_what_a_plain_gap_needs() -> None:
    parts = [(1.0, 600.0, rates()), (0.0, 0.0, rates())]
    assert weighted_power(parts, 0.03, 0.95) == pytest.approx(gap_power(600, rates(), 0.03, 0.95), abs=0.03)
    needed, plain = weighted_rows(parts, 600, 0.03, 0.95, 0.8), gap_rows(rates(), 0.03, 0.95, 0.8)
    assert needed == pytest.approx(plain, rel=0.05)


def test_a_share_of_production_without_rows_cannot_be_averaged() -> None:
    parts = [(0.9, 600.0, rates()), (0.1, 0.0, rates())]
    assert weighted_power(parts, 0.03, 0.95) == 0.0
    assert weighted_rows(parts, 600, 0.03, 0.95, 0.8) is None


def test_a_heavy_share_on_few_rows_costs_power() -> None:
    balanced = [(0.5, 300.0, rates()), (0.5, 300.0, rates())]
    lopsided = [(0.9, 60.0, rates()), (0.1, 540.0, rates())]
    assert weighted_power(lopsided, 0.03, 0.95) < weighted_power(balanced, 0.03, 0.95)
