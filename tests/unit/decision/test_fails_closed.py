"""Whatever evidence is missing, unusable or misplaced: the verdict is never GO."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from evalkit.decision.check import CheckOutcome
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99, Requirement, requirements_of
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.paired_gap import GAP
from evalkit.spec.gate import LatencyBar, Requirements
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

EVERY_CLAIM = requirements_of(Requirements(latency=LatencyBar(p50_ms=20, p99_ms=50), speed_up=1.5), ())
SAME = {"both": 900, "neither": 100}


@pytest.fixture
def all_good(gap: Measure, kept: Measure, figure: Measure) -> list[Measurement]:
    """Evidence for every claim of the spec, all of it good."""
    return [
        gap(**SAME),
        kept(**SAME),
        figure(STUDENT_P50, 9, 8, 10),
        figure(STUDENT_P99, 30, 28, 33),
        figure(SPEED_UP, 3, 2.8, 3.2),
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
        assert "was not measured" in verdict.recommendation

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
    assert verdict.recommendation.startswith("STATE A REQUIREMENT")


def test_only_watched_claims_require_nothing_and_show_nothing(gap: Measure, gap_claim: Claim) -> None:
    verdict = decide([gap_claim("a=1", required=False)], [gap("a=1", **SAME)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.recommendation.startswith("STATE A REQUIREMENT")


def test_two_measurements_of_one_thing_are_refused_rather_than_one_of_them_believed(
    gap: Measure, gap_claim: Claim
) -> None:
    good, bad = gap(**SAME), gap(both=800, teacher_only=200)
    for order in ([good, bad], [bad, good]):
        with pytest.raises(ValueError, match=f"{GAP}.*{ALL_ROWS}"):
            decide([gap_claim()], order, [], 0.95)


def test_a_group_without_rows_is_inconclusive(gap: Measure, gap_claim: Claim) -> None:
    verdict = decide([gap_claim("a=1")], [gap("a=1")], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.checks[0].further_needed == 1


def test_a_teacher_that_is_never_right_leaves_nothing_to_retain(kept: Measure, above: Claim) -> None:
    measured = kept(student_only=500, neither=500)
    verdict = decide([above(measured.name, 0.95)], [measured], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the teacher is right on no row" in verdict.recommendation
