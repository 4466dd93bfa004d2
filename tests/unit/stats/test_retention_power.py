"""The power of the retention test, against the sum over every outcome and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multinomial, norm

from evalkit.stats import retention_power
from evalkit.stats.retention import tang_z
from evalkit.stats.retention_power import RightRates, power_not_retained, power_retained

Z = norm.ppf(0.95)


def summed_power(n: int, rates: RightRates, bar: float) -> tuple[float, float]:
    """The powers as their definition: the probability of every (a, b, c) that rejects above, and below."""
    a, b, c = (grid.ravel() for grid in np.meshgrid(*[np.arange(n + 1)] * 3))
    possible = a + b + c <= n
    a, b, c = a[possible], b[possible], c[possible]
    chances = multinomial.pmf(np.stack([a, b, c, n - a - b - c], axis=-1), n, [*rates, max(0.0, 1 - sum(rates))])
    scores = np.zeros(a.size)
    estimable = a + c > 0
    scores[estimable] = tang_z(a[estimable], b[estimable], c[estimable], bar)
    return float(chances[scores > Z].sum()), float(chances[scores < -Z].sum())


@pytest.mark.parametrize(
    ("n", "rates", "bar"),
    [
        (40, RightRates(0.70, 0.05, 0.02), 0.90),
        (40, RightRates(0.50, 0.10, 0.20), 0.95),
        (40, RightRates(0.30, 0.10, 0.35), 1.00),
        (45, RightRates(0.02, 0.20, 0.02), 1.20),
        (30, RightRates(0.00, 0.30, 0.05), 0.90),  # the teacher is right on no row a fifth of the time
        (25, RightRates(0.05, 0.10, 0.02), 0.95),
        (45, RightRates(0.90, 0.10, 0.00), 1.20),
    ],
)
def test_power_is_the_sum_over_every_outcome(n: int, rates: RightRates, bar: float) -> None:
    above, below = summed_power(n, rates, bar)
    assert power_retained(n, rates, bar, 0.95) == pytest.approx(above, abs=5e-6)
    assert power_not_retained(n, rates, bar, 0.95) == pytest.approx(below, abs=5e-6)


@pytest.mark.parametrize(
    ("n", "rates", "bar"),
    [
        (300, RightRates(0.60, 0.10, 0.15), 0.95),
        (400, RightRates(0.70, 0.03, 0.12), 0.95),
        (1000, RightRates(0.80, 0.03, 0.05), 0.95),
        (3000, RightRates(0.60, 0.10, 0.15), 0.92),
        (1500, RightRates(0.85, 0.15, 0.00), 1.20),
    ],
)
def test_taking_outcomes_together_hardly_changes_the_power(
    n: int, rates: RightRates, bar: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = power_retained(n, rates, bar, 0.95), power_not_retained(n, rates, bar, 0.95)
    monkeypatch.setattr(retention_power, "_GROUPS", 10**9)
    every = power_retained(n, rates, bar, 0.95), power_not_retained(n, rates, bar, 0.95)
    assert quick == pytest.approx(every, abs=1e-3)
    assert max(every) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("n", [20_000, 1_000_000])
def test_power_of_many_rows_is_that_of_a_simulation(n: int) -> None:
    bar = 0.95
    share = 0.9 * (bar + 0.8 / np.sqrt(n))  # 0.8 / sqrt(n) above the bar, whatever n is
    rates = RightRates(share - 0.04, 0.04, 0.94 - share)
    a, b, c, _ = np.random.default_rng(n).multinomial(n, [*rates, 1 - sum(rates)], size=40_000).T
    expected = np.mean(tang_z(a, b, c, bar) > Z)
    assert 0.1 < expected < 0.99
    assert power_retained(n, rates, bar, 0.95) == pytest.approx(expected, abs=0.01)  # four standard errors


@pytest.mark.parametrize("bar", [0.5, 0.95, 1.0, 1.3])
def test_the_statistic_rises_with_every_row_that_turns_to_the_student(bar: float) -> None:
    """What lets a sum over b be a binomial tail."""
    for both in (0, 1, 2, 5, 40, 1000):
        for discordant in (1, 2, 3, 10, 60):
            b = np.arange(discordant if both == 0 else discordant + 1)
            assert (np.diff(tang_z(both, b, discordant - b, bar)) > 0).all()


def test_a_teacher_that_is_never_right_shows_nothing() -> None:
    rates = RightRates(0.0, 0.4, 0.0)
    assert power_retained(100, rates, 0.95, 0.95) == 0.0
    assert power_not_retained(100, rates, 0.95, 0.95) == 0.0


def test_rates_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"teacher_only is -0\.1; give a share of rows"):
        power_retained(10, RightRates(0.5, 0.1, -0.1), 0.95, 0.95)
    with pytest.raises(ValueError, match=r"the rates sum to 1\.2; they are shares of the same rows"):
        power_not_retained(10, RightRates(0.9, 0.2, 0.1), 0.95, 0.95)
    with pytest.raises(ValueError, match="n is 0"):
        power_retained(0, RightRates(0.9, 0.0, 0.1), 0.95, 0.95)
    with pytest.raises(ValueError, match="bar is 0"):
        power_retained(10, RightRates(0.9, 0.0, 0.1), 0, 0.95)
    with pytest.raises(ValueError, match="confidence is 1"):
        power_retained(10, RightRates(0.9, 0.0, 0.1), 0.95, 1)
