"""A group too small to pass, in whose place another must pass: it holds no GO open, and can be shown to be broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.check import CheckOutcome
from evalkit.decision.outcome import outcome_of
from evalkit.decision.recommendation import Action
from evalkit.decision.requirement import Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import Measurement
from tests.unit.decision.turning import CONFIDENCE, SAME, SLIGHTLY_WORSE, alone, stability

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

FEW = {"both": 9, "neither": 1}
FEW_LOST = {"teacher_only": 31}
FEW_GAINED = {"student_only": 10}


@pytest.mark.parametrize(
    ("few", "outcome", "own"),
    [
        (FEW, Outcome.GO, CheckOutcome.MERGED),
        (FEW_GAINED, Outcome.GO, CheckOutcome.MERGED),
        (FEW_LOST, Outcome.NO_GO, CheckOutcome.FAILED),
    ],
    ids=["too few to say", "plainly better", "plainly lost"],
)
def test_it_can_break_the_verdict_and_not_hold_it_open(
    few: dict[str, int],
    outcome: Outcome,
    own: CheckOutcome,
    gap: Measure,
    gap_claim: Claim,
    merged_claim: Claim,
) -> None:
    claims, measured = [gap_claim(), merged_claim("a=1")], [gap(**SAME), gap("a=1", **few)]
    verdict = decide(claims, measured, [], CONFIDENCE)
    assert verdict.outcome is outcome is outcome_of(claims, measured, CONFIDENCE)
    assert [check.outcome for check in verdict.checks] == [CheckOutcome.PASSED, own]
    assert verdict.deciding is verdict.checks[outcome is Outcome.NO_GO]


def test_it_is_broken_all_the_same_where_the_claim_in_its_place_is_open(
    gap: Measure, gap_claim: Claim, merged_claim: Claim
) -> None:
    claims, measured = [gap_claim(), merged_claim("a=1")], [gap(**FEW), gap("a=1", **FEW_LOST)]
    assert decide(claims, measured, [], CONFIDENCE).outcome is Outcome.NO_GO
    without = decide(claims, [measured[0], gap("a=1", **FEW)], [], CONFIDENCE)
    assert without.outcome is Outcome.INCONCLUSIVE
    assert without.deciding is without.checks[0]


def test_it_belongs_to_the_claims_that_share_the_error(gap: Measure, gap_claim: Claim, merged_claim: Claim) -> None:
    """p = 0.021 for 62 rows lost and 10 won of 400 at a margin of 9 points: enough for 1 or 2 claims, not for 3."""
    nearly = gap("a=1", both=204, student_only=10, teacher_only=62, neither=124)
    for others, outcome in ((1, Outcome.NO_GO), (2, Outcome.INCONCLUSIVE)):
        claims = [gap_claim("a=1", 0.09), *(merged_claim(f"few={index}") for index in range(others))]
        assert outcome_of(claims, [nearly], CONFIDENCE) is outcome, "one that was not measured counts as well"


def test_nothing_but_merged_groups_is_no_go_or_open_and_never_go(gap: Measure, merged_claim: Claim) -> None:
    claims = [merged_claim("a=1")]
    for few, outcome in ((FEW_GAINED, Outcome.INCONCLUSIVE), (FEW_LOST, Outcome.NO_GO)):
        measured = [gap("a=1", **few)]
        verdict = decide(claims, measured, [], CONFIDENCE)
        assert verdict.outcome is outcome is outcome_of(claims, measured, CONFIDENCE)
        assert (verdict.recommendation.action is Action.STATE_A_REQUIREMENT) is (outcome is Outcome.INCONCLUSIVE)


def test_no_rows_are_asked_for_it(gap: Measure, gap_claim: Claim, merged_claim: Claim) -> None:
    claims = [gap_claim(), merged_claim("a=1"), merged_claim("a=2")]
    verdict = decide(claims, [gap(both=27), gap("a=1", **FEW)], [], CONFIDENCE)
    assert [check.further_needed is None for check in verdict.checks] == [False, True, True]
    assert len(verdict.recommendation.needs) == 1


def test_the_recommendation_after_its_failure_rests_on_it(gap: Measure, gap_claim: Claim, merged_claim: Claim) -> None:
    claims, measured = [gap_claim(), merged_claim("a=1")], [gap(**SAME), gap("a=1", **FEW_LOST)]
    recommendation = decide(claims, measured, [], CONFIDENCE).recommendation
    assert recommendation.action is Action.RETRAIN
    assert "accuracy gap on a=1" in recommendation.reason
    offer = CascadeOffer(
        share_to_teacher=0.1,
        cost_reduction=Interval(point=3.0, lower=2.8, upper=3.2, level=0.9, n=100, method="for the test"),
        explanation="the teacher answers the rest",
    )
    assert decide(claims, measured, [], CONFIDENCE, offer).recommendation.action is Action.CASCADE


class TestWhatWouldHaveChangedTheOutcome:
    def test_of_a_go_may_be_more_losses_of_a_merged_group(
        self, gap: Measure, gap_claim: Claim, merged_claim: Claim
    ) -> None:
        claims = [gap_claim(margin=0.2), merged_claim("a=1")]
        measured = [gap(**SAME), gap("a=1", both=25, teacher_only=5)]
        found = stability(claims, measured)
        assert found.rows is not None
        assert (found.rows.subpopulation, found.rows.outcome) == ("a=1", Outcome.NO_GO)
        lost = {"both": 25 - found.rows.rows, "teacher_only": 5 + found.rows.rows}
        assert outcome_of(claims, [measured[0], gap("a=1", **lost)], CONFIDENCE) is Outcome.NO_GO
        fewer = {"both": lost["both"] + 1, "teacher_only": lost["teacher_only"] - 1}
        assert outcome_of(claims, [measured[0], gap("a=1", **fewer)], CONFIDENCE) is Outcome.GO

    def test_of_a_go_may_be_a_tighter_margin_of_a_merged_group(
        self, gap: Measure, gap_claim: Claim, merged_claim: Claim
    ) -> None:
        claims = [gap_claim(margin=0.4), merged_claim("a=1", 0.1)]
        measured = [gap(**SAME), gap("a=1", both=20, teacher_only=6)]
        change = stability(claims, measured).margin
        assert change is not None
        assert (change.subpopulation, change.outcome) == ("a=1", Outcome.NO_GO)
        moved = [claims[0], merged_claim("a=1", -change.to_bound)]
        assert outcome_of(moved, measured, CONFIDENCE) is Outcome.NO_GO
        assert outcome_of(claims, measured, CONFIDENCE) is Outcome.GO

    def test_of_a_no_go_by_one_group_alone_is_found_in_that_group(
        self, gap: Measure, gap_claim: Claim, merged_claim: Claim
    ) -> None:
        claims, measured = [gap_claim(), merged_claim("a=1")], [gap(**SAME), gap("a=1", **FEW_LOST)]
        found = stability(claims, measured)
        assert found.rows is not None
        assert (found.rows.subpopulation, found.rows.student_is, found.rows.outcome) == ("a=1", "right", Outcome.GO)

    def test_is_not_hidden_by_many_merged_groups_far_from_passing(
        self, gap: Measure, gap_claim: Claim, merged_claim: Claim
    ) -> None:
        few = [f"few={index}" for index in range(60)]
        claims = [gap_claim(margin=0.035), *(merged_claim(name) for name in few)]
        measured = [gap(**SLIGHTLY_WORSE), *(gap(name, both=50, teacher_only=1) for name in few)]
        with_them, without = alone(claims, measured), alone(claims[:1], measured)
        assert without.margin is not None
        assert with_them.margin == without.margin
        assert with_them.rows == without.rows


class TestTooFewRowsForTheMinimum:
    """A claim whose group lacks rows of subpopulations.minimum_rows can fail and not pass."""

    def test_is_open_however_good_and_says_why_and_how_many_more(self, gap: Measure, gap_claim: Claim) -> None:
        verdict = decide([gap_claim(rows_short=200)], [gap(**SAME)], [], CONFIDENCE)
        (check,) = verdict.checks
        assert (verdict.outcome, check.outcome) == (Outcome.INCONCLUSIVE, CheckOutcome.OPEN)
        assert check.further_needed == 200
        assert check.explanation.endswith("; but its group has 200 rows fewer than minimum_rows")
        assert verdict.recommendation.action is Action.COLLECT

    def test_fails_where_it_is_shown_to_be_broken(self, gap: Measure, gap_claim: Claim) -> None:
        claims, measured = [gap_claim(rows_short=2_000)], [gap(**FEW_LOST)]
        verdict = decide(claims, measured, [], CONFIDENCE)
        assert verdict.outcome is Outcome.NO_GO is outcome_of(claims, measured, CONFIDENCE)
        assert "minimum_rows" not in verdict.checks[0].explanation

    def test_that_is_known_by_an_interval_alone_fails_too(self, figure: Measure, above: Claim) -> None:
        name = "student_minus_teacher_macro_f1"
        claim = dataclasses.replace(above(name, -0.02), rows_short=10)
        assert decide([claim], [figure(name, -0.3, -0.32, -0.28)], [], CONFIDENCE).outcome is Outcome.NO_GO
        assert decide([claim], [figure(name, 0.0, -0.01, 0.01)], [], CONFIDENCE).outcome is Outcome.INCONCLUSIVE

    def test_no_margin_and_no_answers_make_it_a_go(self, gap: Measure, gap_claim: Claim) -> None:
        found = alone([gap_claim(rows_short=5)], [gap(**SAME)])
        assert found.rows is None or found.rows.outcome is not Outcome.GO
        assert found.margin is None or found.margin.outcome is not Outcome.GO

    @pytest.mark.parametrize(("short", "more"), [(3, 42), (400, 400)])
    def test_asks_for_the_larger_of_what_it_lacks(
        self, short: int, more: int, estimate: Measure, gap_claim: Claim
    ) -> None:
        nothing = NotEstimable(reason="there are no rows", n=0, n_needed=42)
        (check,) = decide(
            [gap_claim(rows_short=short)], [estimate("student_minus_teacher_accuracy", nothing)], [], CONFIDENCE
        ).checks
        assert check.further_needed == more

    def test_beyond_the_bar_needs_only_what_shows_that_it_is_broken(self, gap: Measure, gap_claim: Claim) -> None:
        measured = [gap(both=83, teacher_only=6, neither=11)]
        needed = [
            decide([gap_claim(rows_short=short)], measured, [], CONFIDENCE).checks[0].further_needed
            for short in (0, 5_000)
        ]
        assert needed[0] is not None
        assert needed[0] == needed[1] < 5_000
