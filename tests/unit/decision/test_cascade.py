"""A cascade may be recommended where the student alone is not good enough; it never changes the outcome."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.recommendation import Action
from evalkit.decision.requirement import STUDENT_P99, TEACHER_ACCURACY, Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

COST = "teacher_over_student_cost"
SAME = {"both": 900, "neither": 100}
MUCH_WORSE = {"both": 700, "teacher_only": 200, "neither": 100}
ON_TOO_FEW_ROWS = {"both": 27, "neither": 3}
SAVING = Interval(point=3.0, lower=2.8, upper=3.2, level=0.9, n=9, method="for the test")
OFFER = CascadeOffer(
    share_to_teacher=0.125, cost_reduction=SAVING, explanation="the student's confidence is below 0.8 there"
)


@pytest.fixture
def saves(figure: Measure) -> Measurement:
    return figure(COST, 8, 7.5, 8.5)


@pytest.mark.parametrize(
    ("seen", "outcome"), [(MUCH_WORSE, Outcome.NO_GO), (ON_TOO_FEW_ROWS, Outcome.INCONCLUSIVE)], ids=str
)
def test_it_is_recommended_where_only_quality_is_short_and_the_outcome_stays(
    seen: dict[str, int], outcome: Outcome, saves: Measurement, gap: Measure, gap_claim: Claim, above: Claim
) -> None:
    claims, measured = [gap_claim(), above(COST, 2)], [gap(**seen), saves]
    without, offered = (decide(claims, measured, [], 0.95, cascade) for cascade in (None, OFFER))
    assert offered.outcome is without.outcome is outcome
    assert dataclasses.replace(offered, recommendation=without.recommendation) == without
    assert offered.recommendation.text == (
        f"DEPLOY WITH CASCADE: the student alone is not good enough ({offered.checks[0].explanation}), but with the "
        "teacher for 12.5% of the requests every bar is met: the student's confidence is below 0.8 there"
    )


def test_what_would_settle_the_student_alone_stands_beside_it(
    saves: Measurement, gap: Measure, gap_claim: Claim
) -> None:
    recommendation = decide([gap_claim()], [gap(**ON_TOO_FEW_ROWS), saves], [], 0.95, OFFER).recommendation
    assert [need.units for need in recommendation.needs] == [52 - 30]


def test_a_student_that_passes_needs_none(gap: Measure, gap_claim: Claim) -> None:
    assert decide([gap_claim()], [gap(**SAME)], [], 0.95, OFFER).recommendation.action is Action.DEPLOY


@pytest.mark.parametrize(
    "saving",
    [
        dataclasses.replace(SAVING, lower=1.9),
        dataclasses.replace(SAVING, lower=2.0),
        dataclasses.replace(SAVING, level=0.5),
        dataclasses.replace(SAVING, lower=math.nan),
        NotEstimable(reason="void", n=0),
    ],
)
def test_it_must_be_shown_to_save_what_was_asked_for(
    saving: Interval | NotEstimable, saves: Measurement, gap: Measure, gap_claim: Claim, above: Claim
) -> None:
    offer = dataclasses.replace(OFFER, cost_reduction=saving)
    verdict = decide([gap_claim(), above(COST, 2)], [gap(**MUCH_WORSE), saves], [], 0.95, offer)
    assert verdict.recommendation.action is Action.RETRAIN


def test_where_no_saving_was_asked_for_it_must_save_something(gap: Measure, gap_claim: Claim) -> None:
    dearer = dataclasses.replace(OFFER, cost_reduction=dataclasses.replace(SAVING, point=1.1, lower=0.99, upper=1.2))
    for offer, action in ((OFFER, Action.CASCADE), (dearer, Action.RETRAIN)):
        assert decide([gap_claim()], [gap(**MUCH_WORSE)], [], 0.95, offer).recommendation.action is action


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
def test_it_must_give_each_of_the_two_some_of_the_requests(share: float, gap: Measure, gap_claim: Claim) -> None:
    offer = dataclasses.replace(OFFER, share_to_teacher=share)
    assert decide([gap_claim()], [gap(**MUCH_WORSE)], [], 0.95, offer).recommendation.action is Action.RETRAIN


def test_it_repairs_no_latency(gap: Measure, figure: Measure, gap_claim: Claim, below: Claim) -> None:
    claims = [gap_claim(), below(STUDENT_P99, 50)]
    for p99 in (figure(STUDENT_P99, 60, 58, 62), figure(STUDENT_P99, 50, 40, 62)):
        verdict = decide(claims, [gap(**MUCH_WORSE), p99], [], 0.95, OFFER)
        assert verdict.recommendation.action is Action.RETRAIN


def test_it_repairs_no_bad_teacher(figure: Measure, above: Claim) -> None:
    measured = figure(TEACHER_ACCURACY, 0.7, 0.68, 0.72)
    assert decide([above(TEACHER_ACCURACY, 0.9)], [measured], [], 0.95, OFFER).recommendation.action is Action.RETRAIN


def test_it_stands_in_for_no_measurement_that_is_missing(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de")]
    verdict = decide(claims, [gap(**SAME)], [], 0.95, OFFER)
    assert verdict.recommendation.action is Action.MEASURE_AGAIN
