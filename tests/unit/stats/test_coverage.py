"""Do the intervals hold the truth as often as they say? Enumerated where outcomes are few, else seeded simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.stats import bca
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.means import mean_interval
from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.proportions import proportion_bounds
from evalkit.stats.quantiles import quantile
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


@pytest.mark.parametrize("n", [20, 50, 200, 1000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_proportion_interval_covers_at_its_level_on_average(n: int, level: float) -> None:
    """Enumerated. Brown, Cai and DasGupta (2001), Statistical Science 16, 101–133: Wilson's coverage has troughs,
    the deepest near 0 and 1, and is nominal on average over the shares."""
    successes = np.arange(n + 1)
    lower, upper = proportion_bounds(successes, n, level)
    truths = np.linspace(0.005, 0.995, 397)[:, np.newaxis]
    coverage = np.where((lower <= truths) & (truths <= upper), binom.pmf(successes, n, truths), 0.0).sum(axis=1)
    assert coverage.mean() == pytest.approx(level, abs=0.015)
    inner = (truths[:, 0] > 5 / n) & (truths[:, 0] < 1 - 5 / n)
    assert coverage[inner].min() > level - 0.055


@pytest.mark.parametrize("n", [1, 5, 20, 300])
def test_exact_interval_of_a_unanimous_sample_errs_no_more_than_half_of_what_is_left(n: int) -> None:
    """A share at the upper bound after no success gives no success with probability (1 − level) / 2."""
    lower, upper = proportion_bounds([0, n], n, 0.9)
    assert binom.pmf(0, n, upper[0]) == pytest.approx(0.05)
    assert binom.pmf(n, n, lower[1]) == pytest.approx(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 5, 12, 40])
def test_student_interval_of_window_means_covers_at_its_level(n: int) -> None:
    """A window's throughput is a mean over many requests: nearly normal, here with the skewness 0.2 of 100 each."""
    rng = np.random.default_rng(n)
    samples = rng.gamma(100.0, 1.0, size=(6000, n))
    found = [mean_interval(sample, level=0.9) for sample in samples]
    assert covered(found, 100.0) == pytest.approx(0.9, abs=0.016)  # four standard errors


def covered(found: list[Estimate], truth: float) -> float:
    intervals = [each for each in found if isinstance(each, Interval)]
    assert len(intervals) > 0.98 * len(found)
    return float(np.mean([each.lower <= truth <= each.upper for each in intervals]))


def one_sided_errors(found: list[Estimate], truth: float) -> tuple[float, float]:
    """How often a claim would be shown that is not so: truth below the lower bound, and above the upper."""
    shown = [each for each in found if isinstance(each, Interval)]
    return sum(truth < each.lower for each in shown) / len(found), sum(truth > each.upper for each in shown) / len(
        found
    )


def mean_of(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


@pytest.mark.slow
def test_bootstrap_interval_of_a_mean_difference_covers_near_its_level() -> None:
    """Differences of a loss on 200 rows, each model's exponential."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(1200):
        differences = rng.exponential(size=200) - 0.8 * rng.exponential(size=200)
        terms = np.stack([differences, np.ones(200)], axis=1)
        found.append(bootstrap_sums(terms, mean_of, 0.9, rng, replicates=800))
    assert covered(found, 0.2) == pytest.approx(0.9, abs=0.035)
    assert max(one_sided_errors(found, 0.2)) < 0.05 + 0.025


@pytest.mark.slow
def test_cluster_bootstrap_covers_where_rows_share_a_cluster_and_the_row_bootstrap_does_not() -> None:
    """60 users of 5 rows each; a user's own level has the same variance as a row's noise."""
    rng = np.random.default_rng(12)
    by_cluster, by_row, users = [], [], np.repeat(np.arange(60), 5)
    for _ in range(1000):
        values = rng.normal(size=60)[users] + rng.normal(size=300)
        terms = np.stack([values, np.ones(300)], axis=1)
        by_cluster.append(bootstrap_sums(terms, mean_of, 0.9, rng, clusters=users, replicates=600))
        by_row.append(bootstrap_sums(terms, mean_of, 0.9, rng, replicates=600))
    assert covered(by_cluster, 0.0) == pytest.approx(0.9, abs=0.04)
    assert covered(by_row, 0.0) < 0.8


# Every label, teacher's answer and student's answer of a binary task, and what each adds to both confusion counts.
LABEL, TEACHER, STUDENT = (grid.ravel() for grid in np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"))
CONFUSION = np.stack(
    [term for answer in (TEACHER, STUDENT) for term in (LABEL * answer, (1 - LABEL) * answer, LABEL * (1 - answer))],
    axis=1,
).astype(float)


def f1_gap(sums: np.ndarray) -> np.ndarray:
    found, false_alarm, missed = (sums[..., [start, start + 3]] for start in range(3))
    either = 2 * found + false_alarm + missed
    f1 = np.divide(2 * found, either, out=np.full(either.shape, np.nan), where=either > 0)
    return f1[..., 1] - f1[..., 0]


def confusion_shares(changed_right: float, changed_wrong: float) -> np.ndarray:
    """30 % positives; a teacher with 85 % recall and 8 % false alarms, whose answers the student changes so often."""
    labels = np.where(LABEL == 1, 0.3, 0.7)
    teachers = np.where(TEACHER == 1, np.where(LABEL == 1, 0.85, 0.08), np.where(LABEL == 1, 0.15, 0.92))
    changed = np.where(TEACHER == LABEL, changed_right, changed_wrong)
    return labels * teachers * np.where(STUDENT != TEACHER, changed, 1 - changed)


def f1_intervals(n: int, shares: np.ndarray, trials: int) -> list[Estimate]:
    rng = np.random.default_rng(n)
    drawn = rng.multinomial(n, shares, size=trials)
    return [bootstrap_sums(CONFUSION, f1_gap, 0.9, rng, counts=counts, replicates=800) for counts in drawn]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "low"), [(200, 0.845), (1000, 0.87)])
def test_bootstrap_interval_of_an_f1_difference_covers_near_its_level(n: int, low: float) -> None:
    """200 rows hold some 17 discordant ones, on which the interval is a little too narrow: 87 % instead of 90 %."""
    shares = confusion_shares(0.06, 0.3)
    found = f1_intervals(n, shares, trials=1200)
    truth = float(f1_gap(shares @ CONFUSION))
    assert low < covered(found, truth) < 0.93
    assert max(one_sided_errors(found, truth)) < 0.085


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 50, 100])
@pytest.mark.parametrize("shares", [confusion_shares(0.06, 0.3), confusion_shares(0.02, 0.1)])
def test_few_discordant_rows_show_nothing_that_is_not_so_too_often(n: int, shares: np.ndarray) -> None:
    truth = float(f1_gap(shares @ CONFUSION))
    assert max(one_sided_errors(f1_intervals(n, shares, trials=600), truth)) < 0.095


@pytest.mark.slow
def test_they_would_if_a_spread_that_fewer_than_5_units_carry_gave_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 rows, of which 1 or 2 are discordant: a claim that is not so would be shown 17 % of the time, not 5 %."""
    shares = confusion_shares(0.02, 0.1)
    monkeypatch.setattr(bca, "FEWEST_CARRYING", 0)
    assert max(one_sided_errors(f1_intervals(50, shares, trials=600), float(f1_gap(shares @ CONFUSION)))) > 0.12
