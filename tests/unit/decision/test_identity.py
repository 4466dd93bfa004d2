"""One model compared with itself: every claim passes then, and nothing was shown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from evalkit.decision.outcome import outcome_of
from evalkit.decision.requirement import STUDENT_P99, Direction, Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.proportions import proportion

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

SAME = {"both": 900, "neither": 100}
METRIC = "student_minus_teacher_macro_f1"
NOTHING_REQUIRED = "STATE A REQUIREMENT: nothing was required, so nothing was shown"
CLAIMS = (
    Requirement(measurement=GAP, subpopulation=ALL_ROWS, bound=-0.05, direction=Direction.ABOVE),
    Requirement(measurement=STUDENT_P99, subpopulation=ALL_ROWS, bound=50.0, direction=Direction.BELOW),
)


@pytest.fixture
def all_good(gap: Measure, figure: Measure) -> list[Measurement]:
    return [gap(**SAME), figure(STUDENT_P99, 30, 28, 33)]


@pytest.fixture
def agreement(estimate: Measure) -> Callable[[int], Measurement]:
    def measured(same_of_1000: int) -> Measurement:
        return estimate("agreement", proportion(same_of_1000, 1000, 0.9))

    return measured


def test_one_model_is_never_a_go(all_good: list[Measurement], agreement: Callable[[int], Measurement]) -> None:
    verdict = decide(CLAIMS, [*all_good, agreement(1000)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.recommendation.text == (
        "MEASURE AGAIN: student and teacher give the same answer on every row: nothing shows that two models were "
        "compared"
    )
    assert verdict.deciding is verdict.checks[-1]
    assert outcome_of(CLAIMS, [*all_good, agreement(1000)], 0.95) is Outcome.INCONCLUSIVE


def test_one_model_is_told_from_a_student_that_differs_on_one_row(
    all_good: list[Measurement], agreement: Callable[[int], Measurement]
) -> None:
    verdict = decide(CLAIMS, [*all_good, agreement(999)], [], 0.95)
    assert verdict.outcome is Outcome.GO
    assert len(verdict.checks) == len(CLAIMS)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("teacher_student_kl", 0.02),
        ("teacher_student_kl", 1e-7),
        (METRIC, 0.003),
        ("student_minus_teacher_brier", -1e-6),
    ],
)
def test_one_model_is_told_from_one_with_the_same_answers_that_differs_otherwise(
    name: str, point: float, all_good: list[Measurement], agreement: Callable[[int], Measurement], figure: Measure
) -> None:
    apart = figure(name, point, point - 1e-8, point + 1e-8)
    assert decide(CLAIMS, [*all_good, agreement(1000), apart], [], 0.95).outcome is Outcome.GO


@pytest.mark.parametrize("name", ["teacher_student_kl", METRIC, "student_minus_teacher_brier"])
@pytest.mark.parametrize("point", [0.0, 1e-13, -1e-13, math.nan, None])
def test_one_model_is_not_told_apart_by_what_is_missing_or_rounding(
    name: str,
    point: float | None,
    all_good: list[Measurement],
    agreement: Callable[[int], Measurement],
    figure: Measure,
    estimate: Measure,
) -> None:
    without = estimate(name, NotEstimable(reason="all values are the same", n=1000))
    difference = without if point is None else figure(name, point, point, point)
    assert decide(CLAIMS, [*all_good, agreement(1000), difference], [], 0.95).outcome is Outcome.INCONCLUSIVE


def test_agreement_in_one_group_says_nothing_of_the_models(
    all_good: list[Measurement], agreement: Callable[[int], Measurement]
) -> None:
    in_group = dataclasses.replace(agreement(1000), subpopulation="language=de")
    assert decide(CLAIMS, [*all_good, in_group], [], 0.95).outcome is Outcome.GO


def test_one_model_still_fails_what_it_fails(
    all_good: list[Measurement], agreement: Callable[[int], Measurement], figure: Measure
) -> None:
    slow = [figure(STUDENT_P99, 90, 88, 93) if each.name == STUDENT_P99 else each for each in all_good]
    assert decide(CLAIMS, [*slow, agreement(1000)], [], 0.95).outcome is Outcome.NO_GO


def test_one_model_with_nothing_required_is_told_to_state_a_requirement(
    agreement: Callable[[int], Measurement],
) -> None:
    assert decide([], [agreement(1000)], [], 0.95).recommendation.text == NOTHING_REQUIRED


def test_one_model_has_a_gap_in_a_metric_without_width_which_shows_nothing(figure: Measure, above: Claim) -> None:
    # Every bootstrap sample of identical answers gives the same difference, on 5 rows as on 5,000.
    verdict = decide([above(METRIC, -0.02)], [figure(METRIC, 0.0, 0.0, 0.0, n=5000)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.recommendation.text == (
        "MEASURE AGAIN: gap in macro_f1 over all rows could not be judged: its interval has no width, since "
        "nothing varied by which to judge how sure it is"
    )


def test_one_model_has_an_accuracy_gap_with_width_which_passes_on_enough_rows(gap: Measure, gap_claim: Claim) -> None:
    # 52 rows without a discordant one are the floor of a 5 % margin: other evidence must tell the models apart.
    assert decide([gap_claim()], [gap(both=51)], [], 0.95).outcome is Outcome.INCONCLUSIVE
    assert decide([gap_claim()], [gap(both=52)], [], 0.95).outcome is Outcome.GO
