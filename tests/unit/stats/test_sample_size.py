from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.stats import binom, multinomial, norm

from evalkit.stats.exact_power import power_above
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import tango_z
from evalkit.stats.retention import tang_z
from evalkit.stats.sample_size import (
    EXACT_ROWS,
    feasibility_floor,
    further_rows,
    further_rows_retention,
    power_not_worse,
    power_to_fail,
    rows_for_power,
)


def table(both: int, student_only: int, teacher_only: int, neither: int) -> PairedCounts:
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def summed_power(n: int, difference: float, discordance: float, null: float, confidence: float) -> float:
    """The power as its definition: the probability of every (b, c) that rejects."""
    b, c = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    b, c = b[b + c <= n], c[b + c <= n]
    gained = (discordance + difference) / 2
    chances = multinomial.pmf(np.stack([b, c, n - b - c], axis=-1), n, [gained, discordance - gained, 1 - discordance])
    return float(chances[tango_z(b, c, n, null) > norm.ppf(confidence)].sum())


@pytest.mark.parametrize(
    ("n", "difference", "discordance", "null", "confidence"),
    [
        (60, 0.0, 0.1, -0.05, 0.95),
        (60, -0.05, 0.1, -0.05, 0.95),
        (45, 0.1, 0.3, 0.02, 0.9),
        (150, 0.02, 0.05, -0.03, 0.975),
        (30, -0.2, 0.2, -0.3, 0.95),
        (30, 0.2, 0.2, 0.1, 0.95),
    ],
)
def test_exact_power_is_the_sum_over_every_outcome(
    n: int, difference: float, discordance: float, null: float, confidence: float
) -> None:
    expected = summed_power(n, difference, discordance, null, confidence)
    assert 0.01 < expected < 0.99
    assert power_above(n, difference, discordance, null, confidence) == pytest.approx(expected, abs=1e-9)


def test_power_of_one_row_is_worked_by_hand() -> None:
    """With b = n = 1, T = sqrt((1 + d)/(1 − d)) > 0.8416 (80 %) at d = 0.1: only b = 1 passes, chance 0.3."""
    assert power_not_worse(1, 0.1, 0.5, margin=0.1, confidence=0.8) == pytest.approx(0.3)


def test_power_with_no_discordance_jumps_from_zero_to_one_at_the_feasibility_floor() -> None:
    assert power_not_worse(267, 0.0, 0.0, margin=0.01, confidence=0.95) == 0.0
    assert power_not_worse(268, 0.0, 0.0, margin=0.01, confidence=0.95) == 1.0


def test_refined_rows_exceed_the_approximation_whose_power_falls_short() -> None:
    """The normal approximation, (1.645 + 0.842)² · 0.1 / 0.05² = 248 rows, has 77 % and not 80 % power."""
    approximate = math.ceil((1.644854 + 0.841621) ** 2 * 0.1 / 0.05**2)
    assert approximate == 248
    assert power_not_worse(approximate, 0.0, 0.1, margin=0.05, confidence=0.95) == pytest.approx(0.775, abs=0.005)
    assert rows_for_power(0.0, 0.1, margin=0.05, confidence=0.95, power=0.8) == 263


def test_the_approximation_used_alone_joins_the_exact_rows() -> None:
    """Just below the threshold exact and approximate rows differ by far less than their purpose needs."""
    approximate = (1.644854 + 0.841621) ** 2 * 0.2 / 0.00115**2
    exact = rows_for_power(0.0, 0.2, margin=0.00115, confidence=0.95, power=0.8)
    assert exact is not None
    assert 900_000 < approximate < exact < EXACT_ROWS
    assert exact - approximate < 100
    beyond = rows_for_power(0.0, 0.2, margin=0.001, confidence=0.95, power=0.8)
    assert beyond == math.ceil((norm.ppf(0.95) + norm.ppf(0.8)) ** 2 * 0.2 / 0.001**2)


@pytest.mark.parametrize("difference", [-0.05, -0.06])
def test_no_rows_show_what_is_not_so(difference: float) -> None:
    assert rows_for_power(difference, 0.1, margin=0.05, confidence=0.95, power=0.8) is None


def test_further_rows_are_the_planned_rows_less_those_at_hand() -> None:
    planned = rows_for_power(-0.01, 0.05, margin=0.03, confidence=0.95, power=0.8)
    assert planned is not None
    assert further_rows(table(180, 4, 6, 10), margin=0.03, confidence=0.95) == planned - 200


def test_further_rows_beyond_the_margin_show_harm() -> None:
    """Mirrored: with the roles swapped, the gain of 0.08 must be shown to exceed 0.05."""
    further = further_rows(table(170, 2, 18, 10), margin=0.05, confidence=0.95)
    assert further is not None
    assert power_above(200 + further, 0.08, 0.1, 0.05, 0.95) >= 0.8 > power_above(199 + further, 0.08, 0.1, 0.05, 0.95)


def test_further_rows_without_discordance_are_what_is_missing_to_the_floor() -> None:
    floor = feasibility_floor(0.01, confidence=0.95)
    assert further_rows(table(90, 0, 0, 10), margin=0.01, confidence=0.95) == floor - 100
    assert further_rows(table(0, 0, 0, 0), margin=0.01, confidence=0.95) == floor


def test_further_rows_at_the_margin_itself_do_not_exist() -> None:
    assert further_rows(table(80, 5, 10, 5), margin=0.05, confidence=0.95) is None


def test_more_than_ten_million_further_rows_are_not_named() -> None:
    close = table(100_000 - 1_500, 0, 1_000, 500)
    assert further_rows(close, margin=0.0101, confidence=0.95) is not None
    assert further_rows(close, margin=0.010001, confidence=0.95) is None


def test_a_decided_claim_still_names_at_least_one_row() -> None:
    assert further_rows(table(500, 0, 0, 0), margin=0.05, confidence=0.95) == 1
    assert further_rows_retention(table(500, 0, 0, 0), bar=0.9, confidence=0.95) == 1


def test_plans_of_a_hundred_thousand_rows_take_less_than_a_second_or_two() -> None:
    started = time.perf_counter()
    rows = rows_for_power(0.0, 0.1, margin=0.0025, confidence=0.95, power=0.8)
    assert time.perf_counter() - started < 3.0  # some 0.1 s; the rest is a busy machine
    assert rows is not None
    assert 98_000 < rows < 100_000


RETENTION_CLAIMS = [
    (table(160, 8, 12, 20), 0.95),  # retention 0.977, above the bar
    (table(150, 3, 22, 25), 0.95),  # retention 0.890, below it
    (table(100, 30, 40, 30), 0.85),  # much discordance
    (table(40, 0, 0, 10), 0.95),  # none
    (table(20, 3, 0, 0), 1.2),  # every row is right for one of them
    (table(0, 30, 1, 0), 0.95),  # a teacher that is hardly ever right
    (table(3, 1, 1, 200), 0.95),  # 60,000 rows
]


def simulated_retention_power(n: int, counts: PairedCounts, bar: float) -> float:
    rates = np.array([counts.both, counts.student_only, counts.teacher_only, counts.neither]) / counts.n
    a, b, c, _ = np.random.default_rng(2).multinomial(n, rates, size=40_000).T
    estimable = a + c > 0
    scores = tang_z(a[estimable], b[estimable], c[estimable], bar)
    towards = 1 if counts.student_right > bar * counts.teacher_right else -1
    return float(np.sum(towards * scores > norm.ppf(0.95)) / 40_000)


@pytest.mark.parametrize(("counts", "bar"), RETENTION_CLAIMS)
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_further_rows_for_retention_decide_as_often_as_asked_and_one_less_does_not(
    counts: PairedCounts, bar: float, power: float
) -> None:
    further = further_rows_retention(counts, bar, confidence=0.95, power=power)
    assert further is not None
    rows = counts.n + further
    assert simulated_retention_power(rows, counts, bar) > power - 0.01  # four standard errors of 40,000 draws
    assert further == 1 or simulated_retention_power(rows - 1, counts, bar) < power + 0.01


def test_the_approximation_for_retention_alone_would_ask_for_too_many() -> None:
    """On 40 of 50 right in both, the normal approximation says 72 rows; the binomial says 68."""
    assert further_rows_retention(table(40, 0, 0, 10), bar=0.95, confidence=0.95) == 18
    assert binom.sf(51, 68, 0.8) > 0.8 > binom.sf(51, 67, 0.8)


def test_further_rows_are_found_in_milliseconds() -> None:
    started = time.perf_counter()
    for counts, bar in RETENTION_CLAIMS:
        further_rows_retention(counts, bar, confidence=0.95)
        further_rows(counts, margin=0.05, confidence=0.95)
    assert time.perf_counter() - started < 3.0  # some 0.2 s; the rest is a busy machine


def test_chance_to_fail_is_that_of_the_mirrored_claim() -> None:
    """Counted out: the sum over every (b, c) whose upper bound lies below the margin."""
    b, c = (grid.ravel() for grid in np.meshgrid(np.arange(81), np.arange(81)))
    b, c = b[b + c <= 80], c[b + c <= 80]
    chances = multinomial.pmf(np.stack([b, c, 80 - b - c], axis=-1), 80, [0.02, 0.18, 0.80])
    expected = chances[tango_z(b, c, 80, -0.05) < -norm.ppf(0.95)].sum()
    assert 0.5 < expected < 0.9
    assert power_to_fail(80, -0.16, 0.2, margin=0.05, confidence=0.95) == pytest.approx(expected, abs=1e-9)


def test_further_rows_for_retention_do_not_exist_at_the_bar_or_without_a_right_teacher() -> None:
    assert further_rows_retention(table(70, 5, 30, 5), bar=0.75, confidence=0.95) is None
    assert further_rows_retention(table(0, 5, 0, 5), bar=0.75, confidence=0.95) is None
    assert further_rows_retention(table(0, 0, 0, 0), bar=0.75, confidence=0.95) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.0, 0.1, 0.05, 0.95), r"n is 0; give a count of at least 1"),
        ((10, 0.2, 0.1, 0.05, 0.95), r"difference is 0.2; it cannot exceed the discordance 0.1"),
        ((10, 0.0, 1.1, 0.05, 0.95), r"discordance is 1.1; give a share of rows in \[0, 1\]"),
        ((10, 0.0, 0.1, 5, 0.95), r"margin is 5; give a fraction in \(0, 1\)"),
        ((10, 0.0, 0.1, 0.05, 95), r"confidence is 95; give a fraction in \(0, 1\)"),
    ],
)
def test_impossible_plans_are_named(arguments: tuple[int, float, float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_not_worse(*arguments)


def test_a_null_or_power_outside_its_domain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"null is -1; give a difference in \(-1, 1\)"):
        power_above(10, 0.0, 0.1, -1, 0.95)
    with pytest.raises(ValueError, match=r"power is 80; give a fraction in \(0, 1\)"):
        rows_for_power(0.0, 0.1, 0.05, 0.95, power=80)
    with pytest.raises(ValueError, match=r"power is 1"):
        further_rows(table(1, 0, 0, 0), 0.05, 0.95, power=1)
    with pytest.raises(ValueError, match=r"bar is 0"):
        further_rows_retention(table(1, 0, 0, 0), 0, 0.95)
