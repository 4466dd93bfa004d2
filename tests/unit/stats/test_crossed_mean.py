"""Rows, trainings and clusters are counted as what they are: does the interval cover, and would a simpler one?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp

from evalkit.stats.crossed_mean import FEWEST_CLUSTERS, crossed_mean
from evalkit.stats.distillation_gain import gain
from evalkit.stats.interval import Interval, NotEstimable

TRIALS = 400


def clustered(
    rng: np.random.Generator, sizes: np.ndarray, better: float, seeds: int, by_seed: float = 0.02
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Student and control [seeds, rows], and clusters. A cluster has its own difference between the two, so that its
    rows go wrong together; so has every seed. The mean difference over rows is ``better`` in the long run."""
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    of_cluster = rng.normal(0.0, 0.3, len(sizes))[clusters]
    student, control = (rng.normal(0.0, by_seed, (seeds, 1)) for _ in range(2))
    base = rng.uniform(0.55, 0.75, len(clusters))
    right = rng.random((seeds, len(clusters))) < np.clip(base + better / 2 + of_cluster / 2 + student, 0, 1)
    other = rng.random((seeds, len(clusters))) < np.clip(base - better / 2 - of_cluster / 2 + control, 0, 1)
    return right, other, clusters


def uneven(rng: np.random.Generator, clusters: int) -> np.ndarray:
    return 1 + rng.geometric(0.15, clusters)


def covered(seeds: int, clusters: int, better: float, trials: int, seed: int = 1) -> tuple[float, float]:
    """How often the interval of whole clusters holds the truth, and how often that of rows would."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(2)
    for _ in range(trials):
        student, control, numbers = clustered(rng, uneven(rng, clusters), better, seeds)
        for at, known in enumerate((numbers, None)):
            value = gain(student, control, 0.90, known)
            assert isinstance(value, Interval)
            hits[at] += value.lower <= better <= value.upper
    return float(hits[0] / trials), float(hits[1] / trials)


@pytest.mark.parametrize("better", [0.0, 0.06], ids=["null", "planted"])
def test_whole_clusters_cover_as_promised_where_rows_cover_too_seldom(better: float) -> None:
    whole, rows = covered(seeds=3, clusters=60, better=better, trials=TRIALS)
    print(f"gain {better}: covered {whole:.3f} by clusters, {rows:.3f} by rows, at level 0.90")  # noqa: T201 - evidence
    assert whole * TRIALS >= binom.ppf(0.001, TRIALS, 0.88)  # Satterthwaite's t with three seeds is approximate
    assert rows < 0.82


@pytest.mark.long
@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("clusters", [40, 100, 300])
@pytest.mark.parametrize("better", [0.0, 0.06])
def test_it_covers_for_every_number_of_seeds_and_clusters(seeds: int, clusters: int, better: float) -> None:
    """A single training is held against its own truth: its seeds are of no account."""
    rng, trials, hits = np.random.default_rng(seeds * clusters), 3000, 0
    for _ in range(trials):
        by_seed = 0.0 if seeds == 1 else 0.02
        student, control, numbers = clustered(rng, uneven(rng, clusters), better, seeds, by_seed)
        value = gain(student, control, 0.90, numbers)
        assert isinstance(value, Interval)
        hits += value.lower <= better <= value.upper
    print(f"{seeds} seeds, {clusters} clusters, gain {better}: covered {hits / trials:.4f} at level 0.90")  # noqa: T201 - evidence
    assert 0.875 <= hits / trials <= 0.975


def test_clusters_of_one_row_are_rows() -> None:
    values = np.random.default_rng(1).normal(0.1, 1.0, (4, 200))
    rows, single = crossed_mean(values, 0.90), crossed_mean(values, 0.90, np.random.default_rng(2).permutation(200))
    assert isinstance(rows, Interval)
    assert isinstance(single, Interval)
    assert (single.lower, single.point, single.upper) == pytest.approx((rows.lower, rows.point, rows.upper))


def test_equal_clusters_of_one_training_are_a_t_interval_of_their_means() -> None:
    values = np.random.default_rng(3).normal(0.2, 1.0, (1, 240))
    found = crossed_mean(values, 0.90, np.repeat(np.arange(40), 6))
    expected = ttest_1samp(values.reshape(40, 6).mean(1), 0.0).confidence_interval(0.90)
    assert isinstance(found, Interval)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))
    assert found.n == 40
    assert found.method == "t over clusters, jackknife of whole clusters, of 1 training; other seeds not counted"


def test_rows_copied_tenfold_tell_no_more_than_once() -> None:
    values = np.random.default_rng(4).normal(0.2, 1.0, (3, 60))
    once = crossed_mean(values, 0.90)
    copied = crossed_mean(np.repeat(values, 10, axis=1), 0.90, np.repeat(np.arange(60), 10))
    assert isinstance(once, Interval)
    assert isinstance(copied, Interval)
    assert (copied.lower, copied.upper) == pytest.approx((once.lower, once.upper))


def test_too_few_effective_clusters_are_not_estimable_and_say_how_many_are_needed() -> None:
    values = np.random.default_rng(5).normal(size=(1, 200))
    one_holds_most = np.minimum(np.arange(200) // 2, 20)
    found = crossed_mean(values, 0.90, one_holds_most)
    assert isinstance(found, NotEstimable)
    assert found.n_needed == FEWEST_CLUSTERS
    assert "effective clusters; 10 are needed" in found.reason


def test_without_a_difference_the_bound_is_of_the_clusters() -> None:
    right = np.random.default_rng(6).random((3, 200)) < 0.8
    found = gain(right, right, 0.90, np.repeat(np.arange(50), 4))
    assert isinstance(found, Interval)
    assert found.upper == -found.lower == pytest.approx(1 - 0.05 ** (1 / 50))


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        (np.ones(40), None, r"give \[trainings, rows\]"),
        (np.ones((1, 40)), np.zeros(39, dtype=np.int64), "give one for each of the 40 rows"),
    ],
)
def test_values_that_do_not_pair_are_refused(values: np.ndarray, clusters: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crossed_mean(values, 0.90, clusters)
