"""Which students are as good as the best, when nobody knows which is the best."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from evalkit.quality.paired_gap import paired_differences
from evalkit.quality.with_the_best import with_the_best
from evalkit.stats.interval import Interval, NotEstimable

MARGIN, CONFIDENCE = 0.03, 0.95
ROWS = 1500
BEST = 0.9


def answers(rng: np.random.Generator, accuracies: list[float], rows: int = ROWS, alike: float = 0.7) -> np.ndarray:
    """Who is right [students, rows]: hard rows are hard for all, as far as ``alike`` says."""
    hardness = rng.standard_normal(rows)
    own = rng.standard_normal((len(accuracies), rows))
    return np.sqrt(alike) * hardness + np.sqrt(1 - alike) * own < norm.ppf(accuracies)[:, None]


def picked_and_tested(right: np.ndarray) -> list[bool]:
    """What must not be done: the one that looks best is taken for the best, and each is tested against it alone."""
    best = int(right.mean(axis=1).argmax())
    gaps = paired_differences([(each, right[best]) for each in right], None, 2 * CONFIDENCE - 1)
    return [gap.lower > -MARGIN for gap in gaps]


def rates(simulations: int) -> tuple[float, float, float]:
    """How often some student that is exactly the margin behind is called as good: corrected, and picked and tested;
    and how often one that is as good is called so."""
    rng = np.random.default_rng(11)
    false = naive = hit = 0
    behind = BEST - MARGIN
    for _ in range(simulations):
        right = answers(rng, [behind, behind, behind, behind, BEST])
        false += any(each.not_inferior for each in with_the_best(right, None, MARGIN, CONFIDENCE)[:4])
        naive += any(picked_and_tested(right)[:4])
        good = answers(rng, [behind - 0.04, BEST, BEST], alike=0.9)
        hit += with_the_best(good, None, MARGIN, CONFIDENCE)[1].not_inferior
    return false / simulations, naive / simulations, hit / simulations


def hold(simulations: int) -> None:
    false, naive, hit = rates(simulations)
    print(  # noqa: T201 - the rates are the evidence
        f"a student that is the margin behind is called as good in {false:.1%} of {simulations} ladders of five "
        f"(picked and tested: {naive:.1%}); one that is as good in {hit:.1%}"
    )
    assert false <= binom.ppf(0.999, simulations, 0.055) / simulations
    assert naive > 0.08
    assert hit > 0.9


def test_a_student_that_is_the_margin_behind_is_seldom_called_as_good_and_an_equal_one_mostly() -> None:
    hold(300)


@pytest.mark.long
def test_the_same_over_many_ladders() -> None:
    hold(6000)


@pytest.mark.parametrize("accuracies", [[0.9, 0.9, 0.9], [0.85, 0.9, 0.88, 0.8]])
def test_all_intervals_hold_together(accuracies: list[float]) -> None:
    rng, missed, simulations = np.random.default_rng(3), 0, 200
    truth = [each - max(o for j, o in enumerate(accuracies) if j != i) for i, each in enumerate(accuracies)]
    for _ in range(simulations):
        found = [each.less_best for each in with_the_best(answers(rng, accuracies), None, MARGIN, CONFIDENCE)]
        missed += any(not each.lower <= true <= each.upper for each, true in zip(found, truth, strict=True))
    print(f"{accuracies}: some interval misses in {missed} of {simulations}")  # noqa: T201 - the rate is the evidence
    assert missed <= binom.ppf(0.999, simulations, 0.055)


def test_two_students_are_compared_by_the_plain_paired_interval() -> None:
    right = answers(np.random.default_rng(5), [0.9, 0.86])
    better, worse = with_the_best(right, None, MARGIN, CONFIDENCE)
    (gap,) = paired_differences([(right[1], right[0])], None, 2 * CONFIDENCE - 1)
    assert isinstance(worse.less_best, Interval)
    assert worse.less_best.lower == gap.lower
    assert worse.less_best.upper == 0.0
    assert not worse.may_be_best
    assert better.may_be_best


def test_rows_of_one_cluster_count_for_less() -> None:
    rng = np.random.default_rng(6)
    right = np.repeat(answers(rng, [0.9, 0.9, 0.9], rows=150), 10, axis=1)
    clusters = np.repeat(np.arange(150), 10)
    apart, together = (with_the_best(right, each, MARGIN, CONFIDENCE)[0].less_best for each in (None, clusters))
    assert together.lower < apart.lower
    few = with_the_best(right, np.repeat(np.arange(3), 500), MARGIN, CONFIDENCE)
    assert all(isinstance(each.less_best, NotEstimable) and not each.not_inferior for each in few)


def test_one_student_has_nobody_to_be_compared_with() -> None:
    with pytest.raises(ValueError, match="give at least 2"):
        with_the_best(np.ones((1, 50), dtype=bool), None, MARGIN, CONFIDENCE)
