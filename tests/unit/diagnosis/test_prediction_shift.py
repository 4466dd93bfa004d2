"""The student's probabilities move with the inputs, and the finding says so only then."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.population_stability import length_stability, population_stability
from evalkit.diagnosis.prediction_shift import FEWEST_TEXTS, prediction_shift
from evalkit.stats.interval import Interval, NotEstimable

LABELS = ("calm", "glad", "sad")
SEEDS = 60


def probabilities(rng: np.random.Generator, rows: int, moved: float) -> np.ndarray:
    """Of three classes; ``moved`` of the rows are of another mixture."""
    usual, other = rng.dirichlet([4, 2, 1], rows), rng.dirichlet([1, 2, 6], rows)
    return np.where((rng.random(rows) < moved)[:, np.newaxis], other, usual)


def found(seed: int, moved: float, rows: int = 800) -> Finding:
    rng = np.random.default_rng(seed)
    held_out, production = probabilities(rng, 1000, 0.0), probabilities(rng, rows, moved)
    return prediction_shift(held_out, production, LABELS, [f"text {number}" for number in range(rows)], 0.90)


def test_another_mixture_in_production_fires_and_names_class_and_texts() -> None:
    finding = found(1, 0.4)
    assert finding.fired
    assert finding.failure_mode is FailureMode.DISTRIBUTION_MISMATCH
    assert "probability of sad is higher" in finding.explanation
    rng = np.random.default_rng(1)
    probabilities(rng, 1000, 0.0)
    highest = np.argsort(-probabilities(rng, 800, 0.4)[:, 2])[:5]
    assert finding.examples == tuple(f"“text {number}”" for number in highest)


def test_it_fires_when_planted_and_stays_silent_on_the_same_mixture() -> None:
    planted, null = (sum(found(seed, moved).fired for seed in range(SEEDS)) for moved in (0.3, 0.0))
    print(f"prediction shift: fired {planted}/{SEEDS} planted, {null}/{SEEDS} null")  # noqa: T201 - the rate is part of the evidence
    assert planted >= 0.95 * SEEDS
    assert null <= binom.ppf(0.999, SEEDS, 0.01)


def test_the_bounds_cover_the_true_distance_for_all_classes() -> None:
    truth = [ks_2samp(*(probabilities(np.random.default_rng(seed), 50_000, moved)[:, column]
                        for seed, moved in ((8, 0.0), (9, 0.2)))).statistic for column in range(3)]  # fmt: skip
    values = [found(seed, 0.2).measurement.value for seed in range(40)]
    assert all(isinstance(value, Interval) and value.lower <= max(truth) <= value.upper for value in values)


def test_of_two_classes_one_is_tested() -> None:
    rng = np.random.default_rng(3)
    of_yes = [rng.beta(2, 3, 500), rng.beta(3, 2, 500)]
    both = [np.column_stack([1 - each, each]) for each in of_yes]
    value = prediction_shift(both[0], both[1], ("no", "yes"), ["x"] * 500, 0.90).measurement.value
    assert isinstance(value, Interval)
    assert value.point == pytest.approx(ks_2samp(*of_yes).statistic)
    half = 2 * np.sqrt(np.log(4 / 0.1) / (2 * 500))  # DKW with Massart's constant, an error of 0.05 for each sample
    assert value.upper - value.point == pytest.approx(half)


def test_too_few_production_texts_are_not_estimable() -> None:
    finding = found(1, 1.0, rows=FEWEST_TEXTS - 1)
    assert isinstance(finding.measurement.value, NotEstimable)
    assert not finding.fired


def test_probabilities_of_other_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="one column a label and one row a text"):
        prediction_shift(np.ones((300, 3)), np.ones((300, 3)), LABELS, ["x"] * 299, 0.90)


def test_the_stability_index_is_zero_for_equal_shares_and_symmetric() -> None:
    assert population_stability([30, 70], [30, 70]) == 0
    assert population_stability([30, 70], [60, 40]) == pytest.approx(population_stability([60, 40], [30, 70]))


def test_an_empty_cell_is_not_infinitely_far() -> None:
    assert np.isfinite(population_stability([100, 0], [0, 100]))


def test_longer_texts_move_the_index_of_length() -> None:
    rng = np.random.default_rng(1)
    short, again, long = (["x" * size for size in rng.poisson(mean, 1000)] for mean in (40, 40, 60))
    assert length_stability(short, again) < 0.1 < 0.25 < length_stability(short, long)
