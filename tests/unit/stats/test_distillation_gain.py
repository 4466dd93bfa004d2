"""The interval of the gain counts rows and seeds both."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ttest_rel

from evalkit.stats.distillation_gain import FEWEST_ROWS, Gained, accuracy, gain, gained
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.proportions import proportion

TRIALS = 400


def trained(rng: np.random.Generator, better: float, by_seed: float, seeds: int = 4, rows: int = 400):
    """Student and control, right with a chance of the row's own and the seed's own; the student by ``better`` more."""
    of_row = rng.uniform(0.6, 0.95, rows)
    student, control = (rng.normal(mean, by_seed, (seeds, 1)) for mean in (better, 0.0))
    return tuple(rng.random((seeds, rows)) < np.clip(of_row + each, 0, 1) for each in (student, control))


def test_the_interval_covers_as_promised_where_seeds_vary() -> None:
    rng = np.random.default_rng(1)
    values = [gain(*trained(rng, 0.0, 0.03), level=0.90) for _ in range(TRIALS)]
    covered = sum(isinstance(each, Interval) and each.lower <= 0.0 <= each.upper for each in values)
    print(f"distillation gain: covered {covered}/{TRIALS} at level 0.90")  # noqa: T201 - the rate is part of the evidence
    assert covered >= binom.ppf(0.001, TRIALS, 0.88)  # Satterthwaite's t with four seeds is approximate


def test_rows_alone_would_cover_too_seldom_where_seeds_vary() -> None:
    rng = np.random.default_rng(1)
    pairs = [trained(rng, 0.0, 0.03) for _ in range(100)]
    crossed = [gain(*pair, level=0.90) for pair in pairs]
    single = [gain(student[:1], control[:1], level=0.90) for student, control in pairs]
    assert sum(each.lower <= 0 <= each.upper for each in single) < sum(
        each.lower <= 0 <= each.upper for each in crossed
    )
    assert "of 1 training; other seeds not counted" in single[0].method


def test_one_training_is_the_paired_t_interval_over_rows() -> None:
    student, control = trained(np.random.default_rng(2), 0.05, 0.0, seeds=1)
    value = gain(student, control, level=0.90)
    expected = ttest_rel(student[0].astype(float), control[0].astype(float)).confidence_interval(0.90)
    assert isinstance(value, Interval)
    assert (value.lower, value.upper) == pytest.approx((expected.low, expected.high))


def test_the_variance_is_that_of_crossed_rows_and_seeds() -> None:
    differences = np.array([[1, 0, 0, 1] * 10, [1, 0, 0, 0] * 10, [1, -1, 0, 1] * 10], dtype=float)
    value = gain(differences == 1, differences == -1, level=0.90)
    seeds, rows = differences.shape
    rows_ms = seeds * differences.mean(0).var(ddof=1)
    seeds_ms = rows * differences.mean(1).var(ddof=1)
    total_ss = ((differences - differences.mean()) ** 2).sum()
    rest_ms = (total_ss - (rows - 1) * rows_ms - (seeds - 1) * seeds_ms) / ((rows - 1) * (seeds - 1))
    variance = (rows_ms + seeds_ms - rest_ms) / (rows * seeds)  # the mean of a two-way table, both ways random
    wider = gain(differences == 1, differences == -1, level=0.99)
    assert isinstance(value, Interval)
    assert isinstance(wider, Interval)
    freedom = variance**2 / (
        (rows_ms / (rows * seeds)) ** 2 / (rows - 1) + (seeds_ms / (rows * seeds)) ** 2 / (seeds - 1)
    )
    from scipy.stats import t

    assert value.upper - value.point == pytest.approx(t.ppf(0.95, freedom) * np.sqrt(variance))
    assert wider.upper > value.upper


def test_models_that_never_differ_have_an_interval_of_some_width() -> None:
    right = np.random.default_rng(1).random((3, 300)) < 0.8
    value = gain(right, right, level=0.90)
    assert isinstance(value, Interval)
    assert value.upper == -value.lower == pytest.approx(1 - 0.05 ** (1 / 300))


def test_too_few_rows_and_a_difference_without_variance_are_not_estimable() -> None:
    few = np.ones((3, FEWEST_ROWS - 1))
    assert isinstance(gain(few, 1 - few, level=0.90), NotEstimable)
    all_won = np.ones((3, 100))
    assert isinstance(gain(all_won, 1 - all_won, level=0.90), NotEstimable)


@pytest.mark.parametrize(
    ("student", "control", "message"),
    [
        (np.ones(40), np.ones(40), r"give \[seeds, rows\]"),
        (np.ones((2, 40)), np.ones((3, 40)), "give the same seeds and rows"),
        (np.full((2, 40), 0.5), np.ones((2, 40)), "values other than 0 and 1"),
    ],
)
def test_answers_that_do_not_pair_are_refused(student: np.ndarray, control: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gain(student, control, level=0.90)


def between(lower: float, upper: float) -> Interval:
    return Interval(point=(lower + upper) / 2, lower=lower, upper=upper, level=0.90, n=1000, method="planted")


def test_a_control_as_good_is_told_from_one_of_unknown_worth() -> None:
    assert gained(between(0.001, 0.02), worth=0.01) is Gained.SHOWN
    assert gained(between(0.001, 0.004), worth=0.01) is Gained.SHOWN
    assert gained(between(-0.006, 0.004), worth=0.01) is Gained.AS_GOOD
    assert gained(between(-0.03, -0.01), worth=0.01) is Gained.BEHIND
    assert gained(between(-0.01, 0.03), worth=0.01) is Gained.OPEN
    assert gained(between(-0.01, 0.03), worth=0.04) is Gained.AS_GOOD
    assert gained(NotEstimable(reason="no control", n=0), worth=0.01) is Gained.NOT_MEASURED


def test_a_control_of_one_training_is_held_against_every_seed_of_the_student() -> None:
    student, control = trained(np.random.default_rng(3), 0.05, 0.02)
    once, repeated = gain(student, control[:1], level=0.90), gain(student, np.repeat(control[:1], 4, axis=0), 0.90)
    assert once == repeated
    assert isinstance(once, Interval)
    assert "4 seeds crossed" in once.method


def test_accuracy_of_one_training_is_wilsons_and_of_several_counts_their_seeds() -> None:
    student, _ = trained(np.random.default_rng(4), 0.0, 0.05)
    one, four = accuracy(student[:1], level=0.90), accuracy(student, level=0.90)
    assert one == proportion(int(student[0].sum()), student.shape[1], 0.90)
    assert isinstance(four, Interval)
    assert four.point == pytest.approx(student.mean())
    assert "4 seeds crossed" in four.method
    always = accuracy(np.ones((3, 100)), level=0.90)
    assert isinstance(always, Interval)
    assert (always.upper, always.lower) == (1.0, pytest.approx(0.05 ** (1 / 100)))
