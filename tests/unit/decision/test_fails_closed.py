"""Whatever evidence is missing, unusable or misplaced: the verdict is never GO."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from evalkit.decision.check import CheckOutcome
from evalkit.decision.requirement import (
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    Direction,
    Requirement,
    requirements_of,
)
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.paired_gap import GAP
from evalkit.spec.requirements import LatencyBar, QualityBar, Requirements
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

EVERY_CLAIM = requirements_of(
    Requirements(latency=LatencyBar(p50_ms=20, p99_ms=50), speed_up=1.5, speed_up_p99=1.5), ()
)
SAME = {"both": 900, "neither": 100}
METRIC = "student_minus_teacher_macro_f1"
NOTHING_REQUIRED = "STATE A REQUIREMENT: nothing was required, so nothing was shown"


@pytest.fixture
def all_good(gap: Measure, kept: Measure, figure: Measure) -> list[Measurement]:
    """Evidence for every claim of the spec, all of it good."""
    return [
        gap(**SAME),
        kept(**SAME),
        figure(STUDENT_P50, 9, 8, 10),
        figure(STUDENT_P99, 30, 28, 33),
        figure(SPEED_UP, 3, 2.8, 3.2),
        figure(SPEED_UP_P99, 3, 2.8, 3.2),
        figure("teacher_over_student_cost", 8, 7.5, 8.5),
    ]


def test_the_whole_evidence_is_a_go(all_good: list[Measurement]) -> None:
    assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.GO


@pytest.mark.parametrize("left_out", range(len(EVERY_CLAIM)), ids=lambda index: EVERY_CLAIM[index].measurement)
class TestWithoutOneOfTheMeasurements:
    def test_that_is_not_there(self, left_out: int, all_good: list[Measurement]) -> None:
        there = [each for index, each in enumerate(all_good) if index != left_out]
        verdict = decide(EVERY_CLAIM, there, [], 0.95)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.deciding is verdict.checks[left_out]
        assert "was not measured" in verdict.recommendation.text

    def test_that_could_not_be_estimated(self, left_out: int, all_good: list[Measurement]) -> None:
        void = NotEstimable(reason="the generator fell behind", n=0)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=void)
        verdict = decide(EVERY_CLAIM, all_good, [], 0.95)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.checks[left_out].outcome is CheckOutcome.OPEN
        assert "the generator fell behind" in verdict.checks[left_out].explanation

    def test_that_has_another_name(self, left_out: int, all_good: list[Measurement]) -> None:
        all_good[left_out] = dataclasses.replace(all_good[left_out], name=all_good[left_out].name + "_old")
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    def test_that_was_made_elsewhere(self, left_out: int, all_good: list[Measurement]) -> None:
        all_good[left_out] = dataclasses.replace(all_good[left_out], subpopulation="language=de")
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    def test_whose_bounds_are_no_numbers(self, left_out: int, all_good: list[Measurement]) -> None:
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        unknown = dataclasses.replace(value, lower=math.nan, upper=math.nan)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=unknown)
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    def test_whose_interval_is_infinitely_wide(self, left_out: int, all_good: list[Measurement]) -> None:
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        anything = dataclasses.replace(value, lower=-math.inf, upper=math.inf)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=anything)
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    def test_whose_ends_are_the_wrong_way_round(self, left_out: int, all_good: list[Measurement]) -> None:
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        crossed = dataclasses.replace(value, lower=value.upper + 1, upper=value.lower - 1)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=crossed, counts=None)
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize("end", ["lower", "upper"])
    def test_one_of_whose_ends_is_infinite(self, left_out: int, end: str, all_good: list[Measurement]) -> None:
        # However good the other end is: a record cannot hold an infinite number, and no method gives one.
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        half = dataclasses.replace(value, **{end: math.inf if end == "upper" else -math.inf})
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=half)
        verdict = decide(EVERY_CLAIM, all_good, [], 0.95)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.deciding is verdict.checks[left_out]
        assert verdict.checks[left_out].unusable == "its interval is not finite"

    @pytest.mark.parametrize("n", [0, -3])
    def test_behind_which_nothing_stands(self, left_out: int, n: int, all_good: list[Measurement]) -> None:
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=dataclasses.replace(value, n=n))
        assert decide(EVERY_CLAIM, all_good, [], 0.95).outcome is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize("level", [0.0, 0.89, 1.01, 90.0, math.nan])
    def test_whose_level_is_too_low_or_none_at_all(
        self, left_out: int, level: float, all_good: list[Measurement]
    ) -> None:
        value = all_good[left_out].value
        assert isinstance(value, Interval)
        all_good[left_out] = dataclasses.replace(all_good[left_out], value=dataclasses.replace(value, level=level))
        verdict = decide(EVERY_CLAIM, all_good, [], 0.95)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.checks[left_out].unusable is not None
        assert verdict.checks[left_out].further_needed is None


def test_a_stated_price_needs_no_width(estimate: Measure, above: Claim) -> None:
    stated = Interval(point=8.0, lower=8.0, upper=8.0, level=1.0, n=1, method="ratio of stated prices")
    claim = above("teacher_over_student_cost", 2.0)
    assert decide([claim], [estimate(claim.measurement, stated)], [], 0.95).outcome is Outcome.GO


def test_tied_order_statistics_need_no_width_either(figure: Measure, below: Claim) -> None:
    assert decide([below(STUDENT_P50, 20)], [figure(STUDENT_P50, 9, 9, 9)], [], 0.95).outcome is Outcome.GO


@pytest.mark.parametrize("name", ["", "Student_p99_ms", "student_p99", "student_p99_ms ", "teacher_p99_ms"])
def test_a_name_that_is_nearly_right_is_another_thing(name: str, figure: Measure, below: Claim) -> None:
    assert decide([below(STUDENT_P99, 50)], [figure(name, 1, 0.9, 1.1)], [], 0.95).outcome is Outcome.INCONCLUSIVE


def test_a_metric_that_threw_is_open_and_says_what_it_threw(estimate: Measure, gap: Measure, above: Claim) -> None:
    thrown = estimate(METRIC, NotEstimable(reason="house.rules:cost raised KeyError: 'price'", n=900))
    claims = [above(METRIC, -0.02), *requirements_of(Requirements(cost_reduction=None), ())]
    verdict = decide(claims, [thrown, gap(**SAME)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "house.rules:cost raised KeyError: 'price'" in verdict.recommendation.text


def test_a_watched_metric_that_threw_decides_nothing(estimate: Measure, gap: Measure, gap_claim: Claim) -> None:
    watched = Requirement(
        measurement=METRIC, subpopulation=ALL_ROWS, bound=-0.02, direction=Direction.ABOVE, required=False
    )
    thrown = estimate(METRIC, NotEstimable(reason="it raised", n=900))
    verdict = decide([gap_claim(), watched], [thrown, gap(**SAME)], [], 0.95)
    assert verdict.outcome is Outcome.GO
    assert verdict.checks[1].outcome is CheckOutcome.OPEN


def test_a_discovered_subpopulation_that_was_confirmed_and_not_measured_holds_the_verdict_open(gap: Measure) -> None:
    bar = Requirements(quality=QualityBar(retention=None), cost_reduction=None)
    claims = requirements_of(bar, (), discovered=["script=Greek"])
    assert decide(claims, [gap(**SAME)], [], 0.95).outcome is Outcome.INCONCLUSIVE
    assert decide(claims, [gap(**SAME), gap("script=Greek", **SAME)], [], 0.95).outcome is Outcome.GO


def test_a_weighted_average_that_was_not_measured_holds_the_verdict_open(gap: Measure) -> None:
    bar = Requirements(quality=QualityBar(retention=None), cost_reduction=None)
    verdict = decide(requirements_of(bar, (), weighted=["channel"]), [gap(**SAME)], [], 0.95)
    assert verdict.recommendation.text == (
        "MEASURE AGAIN: accuracy gap over all rows weighted by channel was not measured"
    )


def test_a_bar_above_the_teacher_can_be_asked_for(gap: Measure) -> None:
    # A margin below 0: the student must be better by 2 points.
    better = Requirement(measurement=GAP, subpopulation=ALL_ROWS, bound=0.02, direction=Direction.ABOVE)
    for seen, outcome in (
        ({"both": 900, "student_only": 60, "neither": 40}, Outcome.GO),
        ({"both": 900, "neither": 100}, Outcome.NO_GO),
        ({"both": 900, "student_only": 25, "neither": 75}, Outcome.INCONCLUSIVE),
    ):
        assert decide([better], [gap(**seen)], [], 0.95).outcome is outcome


def test_bounds_of_a_lower_confidence_than_was_asked_for_show_nothing(all_good: list[Measurement]) -> None:
    weaker = []
    for each in all_good:
        assert isinstance(each.value, Interval)
        weaker.append(dataclasses.replace(each, value=dataclasses.replace(each.value, level=0.5)))
    assert decide(EVERY_CLAIM, weaker, [], 0.95).outcome is not Outcome.GO


def test_no_measurements_at_all_are_inconclusive() -> None:
    verdict = decide(EVERY_CLAIM, [], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert {check.outcome for check in verdict.checks} == {CheckOutcome.OPEN}


def test_no_requirements_at_all_are_inconclusive_and_say_what_to_do(all_good: list[Measurement]) -> None:
    verdict = decide([], all_good, [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.deciding is None
    assert verdict.recommendation.text == NOTHING_REQUIRED


def test_only_watched_claims_require_nothing_and_show_nothing(gap: Measure, gap_claim: Claim) -> None:
    verdict = decide([gap_claim("a=1", required=False)], [gap("a=1", **SAME)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.recommendation.text == NOTHING_REQUIRED


def test_of_two_measurements_of_one_thing_neither_is_believed(gap: Measure, gap_claim: Claim) -> None:
    good, bad = gap(**SAME), gap(both=800, teacher_only=200)
    for order in ([good, bad], [bad, good], [good, bad, good]):
        verdict = decide([gap_claim()], order, [], 0.95)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.recommendation.text == (
            "MEASURE AGAIN: accuracy gap over all rows could not be measured: it was measured twice, with different "
            "results"
        )


def test_the_same_measurement_twice_is_one(gap: Measure, gap_claim: Claim) -> None:
    assert decide([gap_claim()], [gap(**SAME), gap(**SAME)], [], 0.95).outcome is Outcome.GO


def test_two_measurements_of_what_nobody_asked_for_are_nobodys_business(gap: Measure, gap_claim: Claim) -> None:
    measured = [gap(**SAME), gap("language=de", both=9), gap("language=de", both=8)]
    assert decide([gap_claim()], measured, [], 0.95).outcome is Outcome.GO


def test_of_two_bars_for_one_thing_both_must_be_met(gap: Measure, gap_claim: Claim) -> None:
    measured = [gap(both=900, teacher_only=30, neither=70)]
    assert decide([gap_claim(margin=0.05)], measured, [], 0.95).outcome is Outcome.GO
    for claims in ([gap_claim(margin=0.05), gap_claim(margin=0.03)], [gap_claim(margin=0.03), gap_claim(margin=0.05)]):
        assert decide(claims, measured, [], 0.95).outcome is not Outcome.GO


def test_a_group_without_rows_is_inconclusive(gap: Measure, gap_claim: Claim) -> None:
    verdict = decide([gap_claim("a=1")], [gap("a=1")], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.checks[0].further_needed == 1


def test_a_teacher_that_is_never_right_leaves_nothing_to_retain(kept: Measure, above: Claim) -> None:
    measured = kept(student_only=500, neither=500)
    verdict = decide([above(measured.name, 0.95)], [measured], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the teacher is right on no row" in verdict.recommendation.text
