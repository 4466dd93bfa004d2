"""Seeded simulations: do the intervals hold the truth, and the tests err, as often as they say?"""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.exact_power import power_above
from evalkit.stats.interval import Interval
from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.quantiles import quantile, quantile_ratio
from evalkit.stats.retention import tang_bounds

DRAWS = 20_000


def drawn(n: int, shares: list[float], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    both, student_only, teacher_only, _ = np.random.default_rng(seed).multinomial(n, shares, size=DRAWS).T
    return both, student_only, teacher_only


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 100, 400, 2000])
@pytest.mark.parametrize("shares", [[0.7, 0.05, 0.05, 0.2], [0.6, 0.1, 0.2, 0.1], [0.5, 0.02, 0.18, 0.3]])
def test_tango_interval_covers_at_its_level(n: int, shares: list[float]) -> None:
    _, b, c = drawn(n, shares, seed=n)
    lower, upper = tango_bounds(b, c, n, level=0.9)
    truth = shares[1] - shares[2]
    assert np.mean((lower <= truth) & (truth <= upper)) == pytest.approx(0.9, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 100, 400, 2000])
@pytest.mark.parametrize("shares", [[0.7, 0.05, 0.05, 0.2], [0.6, 0.1, 0.2, 0.1], [0.5, 0.02, 0.18, 0.3]])
def test_retention_interval_covers_at_its_level(n: int, shares: list[float]) -> None:
    a, b, c = drawn(n, shares, seed=n + 1)
    lower, upper = tang_bounds(a, b, c, level=0.9)
    truth = (shares[0] + shares[1]) / (shares[0] + shares[2])
    assert np.mean((lower <= truth) & (truth <= upper)) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("n", [50, 100, 200, 500, 1000, 2000])
@pytest.mark.parametrize("discordance", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("margin", [0.01, 0.02])
def test_exact_chance_of_a_false_pass_at_the_margin_stays_near_five_percent(
    n: int, discordance: float, margin: float
) -> None:
    """Exact, not simulated: the truth is the margin itself. Tango (1998) claims 'near', not 'below'."""
    assert power_above(n, -margin, discordance, -margin, confidence=0.95) <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize(("n", "q"), [(30, 0.5), (400, 0.95), (1000, 0.99)])
def test_each_side_of_the_quantile_interval_errs_no_more_than_its_share(n: int, q: float) -> None:
    samples = np.random.default_rng(n).exponential(size=(4000, n))
    truth = -np.log1p(-q)
    intervals = [quantile(row, q, level=0.9) for row in samples]
    bounds = np.array([(i.lower, i.upper) for i in intervals if isinstance(i, Interval)])
    assert bounds.shape == (4000, 2)
    # Three standard errors above 5 %; the bounds are discrete, so they may also err much less.
    assert 0.005 < np.mean(bounds[:, 0] > truth) < 0.05 + 0.0104
    assert 0.005 < np.mean(bounds[:, 1] < truth) < 0.05 + 0.0104


@pytest.mark.slow
def test_bootstrap_ratio_of_quantiles_covers_near_its_level() -> None:
    rng = np.random.default_rng(9)
    covered = []
    for _ in range(1500):
        slow, fast = 1.3 * rng.lognormal(size=800), rng.lognormal(size=600)
        ratio = quantile_ratio(slow, fast, 0.95, 0.9, rng, replicates=500)
        covered.append(isinstance(ratio, Interval) and ratio.lower <= 1.3 <= ratio.upper)
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)
