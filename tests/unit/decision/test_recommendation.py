"""What a verdict tells its reader to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from evalkit.decision.needs import Need
from evalkit.decision.recommendation import Action, Recommendation
from evalkit.decision.requirement import STUDENT_P99, TEACHER_ACCURACY, Requirement
from evalkit.decision.verdict import decide
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.quality.reweighted import weighted_by
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]
Finds = Callable[..., Finding]

SAME = {"both": 900, "neither": 100}
MUCH_WORSE = {"both": 700, "teacher_only": 200, "neither": 100}
AT_THE_BAR = {"both": 900, "teacher_only": 50, "neither": 50}  # the gap is −5.0 points exactly
COST = "teacher_over_student_cost"


@pytest.fixture
def finding(gap: Measure) -> Finds:
    def made(fired: bool, where: str = "language=de", practice: str = "add German training text") -> Finding:
        return Finding(
            failure_mode=FailureMode.WRONG_METRIC,
            measurement=gap(where, **MUCH_WORSE),
            fired=fired,
            explanation=f"{where} lost 20 points",
            corrective_practice=practice,
        )

    return made


class TestAfterGo:
    def test_it_says_deploy(self, gap: Measure, gap_claim: Claim, finding: Finds) -> None:
        recommendation = decide([gap_claim()], [gap(**SAME)], [finding(False)], 0.95).recommendation
        assert recommendation.action is Action.DEPLOY
        assert recommendation.text == "DEPLOY: every required claim is shown at the stated confidence"
        assert recommendation.finding is None

    def test_with_an_alarm_it_says_what_to_look_into(self, gap: Measure, gap_claim: Claim, finding: Finds) -> None:
        recommendation = decide([gap_claim()], [gap(**SAME)], [finding(True)], 0.95).recommendation
        assert recommendation.action is Action.DEPLOY
        assert recommendation.reason.endswith("; look into this first: language=de lost 20 points")
        assert recommendation.finding == "aggregate hides a degraded subpopulation"


class TestAfterNoGo:
    def test_on_quality_it_says_retrain_and_what_broke(self, gap: Measure, gap_claim: Claim, finding: Finds) -> None:
        recommendation = decide([gap_claim()], [gap(**MUCH_WORSE)], [finding(False)], 0.95).recommendation
        assert recommendation.text.startswith("RETRAIN: train a larger student")
        assert "accuracy gap over all rows is between" in recommendation.reason
        assert recommendation.finding is None

    def test_with_an_alarm_it_names_the_finding_and_how_to_retrain(
        self, gap: Measure, gap_claim: Claim, finding: Finds
    ) -> None:
        recommendation = decide([gap_claim()], [gap(**MUCH_WORSE)], [finding(True)], 0.95).recommendation
        assert recommendation.text == (
            "RETRAIN: add German training text (aggregate hides a degraded subpopulation: language=de lost 20 points)"
        )
        assert recommendation.finding == "aggregate hides a degraded subpopulation"

    def test_the_finding_about_the_group_that_failed_comes_before_others(
        self, gap: Measure, gap_claim: Claim, finding: Finds
    ) -> None:
        alarms = [finding(True), finding(True, "language=fr", "add French training text")]
        measured = [gap("language=fr", **MUCH_WORSE)]
        recommendation = decide([gap_claim("language=fr")], measured, alarms, 0.95).recommendation
        assert recommendation.reason.startswith("add French training text")

    def test_on_latency_alone_it_says_keep_the_teacher_and_why(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        claims = [gap_claim(), below(STUDENT_P99, 50)]
        verdict = decide(claims, [gap(**SAME), figure(STUDENT_P99, 60, 58, 62)], [], 0.95)
        assert verdict.recommendation.text == "KEEP THE TEACHER: p99 is between 58.00 and 62.00 ms; allowed 50 ms"

    def test_on_both_it_says_retrain_since_no_server_repairs_quality(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        claims = [below(STUDENT_P99, 50), gap_claim()]
        verdict = decide(claims, [gap(**MUCH_WORSE), figure(STUDENT_P99, 60, 58, 62)], [], 0.95)
        assert verdict.recommendation.action is Action.RETRAIN

    def test_on_a_metric_it_says_retrain(self, figure: Measure, above: Claim) -> None:
        name = "student_minus_teacher_macro_f1"
        verdict = decide([above(name, -0.02)], [figure(name, -0.2, -0.22, -0.18)], [], 0.95)
        assert verdict.recommendation.action is Action.RETRAIN
        assert (
            "gap in macro_f1 over all rows is between −0.22 and −0.18; allowed −0.02" in verdict.recommendation.reason
        )

    def test_on_the_teachers_own_accuracy_it_does_not_blame_the_student(self, figure: Measure, above: Claim) -> None:
        measured = figure(TEACHER_ACCURACY, 0.7, 0.68, 0.72)
        recommendation = decide([above(TEACHER_ACCURACY, 0.9)], [measured], [], 0.95).recommendation
        assert recommendation.text.startswith("RETRAIN: the teacher itself is below the bar")
        assert "the teacher's accuracy is between 68.0 and 72.0 %; required 90.0 %" in recommendation.reason

    def test_a_failed_watched_group_is_no_reason_to_retrain(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        claims = [gap_claim("language=de", required=False), below(STUDENT_P99, 50)]
        measured = [gap("language=de", **MUCH_WORSE), figure(STUDENT_P99, 60, 58, 62)]
        assert decide(claims, measured, [], 0.95).recommendation.action is Action.KEEP_THE_TEACHER


class TestAfterInconclusive:
    def test_it_says_how_many_more_rows_the_deciding_group_needs_and_what_the_others_do(
        self, gap: Measure, gap_claim: Claim
    ) -> None:
        claims = [gap_claim("language=de"), gap_claim("language=fr")]
        verdict = decide(claims, [gap("language=de", both=40), gap("language=fr", both=20)], [], 0.95)
        assert verdict.deciding is verdict.checks[1]
        assert verdict.recommendation.text == (
            f"COLLECT about 32 MORE ROWS in language=fr: {verdict.checks[1].explanation}; "
            "also needed: about 12 rows in language=de"
        )
        assert verdict.recommendation.needs == (
            Need(units=32, counted_in="rows", subpopulation="language=fr"),
            Need(units=12, counted_in="rows", subpopulation="language=de"),
        )

    def test_it_names_the_deciding_group_though_another_needs_more(self, gap: Measure, gap_claim: Claim) -> None:
        # language=de lies near its bar and needs thousands; language=fr is farther from being shown and needs 32.
        near = {"both": 1000, "student_only": 20, "teacher_only": 60, "neither": 20}
        claims = [gap_claim("language=de"), gap_claim("language=fr")]
        verdict = decide(claims, [gap("language=de", **near), gap("language=fr", both=20)], [], 0.95)
        assert verdict.checks[0].further_needed is not None
        assert verdict.checks[0].further_needed > 1000
        assert verdict.recommendation.text.startswith("COLLECT about 32 MORE ROWS in language=fr")
        assert f"also needed: about {verdict.checks[0].further_needed:,} rows in language=de" in (
            verdict.recommendation.reason
        )

    def test_requests_have_no_place_and_stand_apart_from_rows(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim, above: Claim
    ) -> None:
        claims = [below(STUDENT_P99, 50), gap_claim(margin=0.05), above(COST, 2)]
        measured = [figure(STUDENT_P99, 45, 10, 105), gap(both=45), figure(COST, 2.5, 1.9, 3.1, n=9)]
        recommendation = decide(claims, measured, [], 0.95).recommendation
        assert recommendation.text == (
            "COLLECT about 328,061 MORE REQUESTS: p99 is between 10.00 and 105.00 ms; allowed 50 ms; "
            "also needed: about 7 rows and about 21 seconds of saturated load"
        )

    def test_rows_for_one_subpopulation_are_asked_for_once(
        self, gap: Measure, kept: Measure, gap_claim: Claim, above: Claim
    ) -> None:
        seen = {"both": 80, "student_only": 3, "teacher_only": 5, "neither": 12}
        retained = kept(**seen)
        verdict = decide([gap_claim(), above(retained.name, 0.95)], [gap(**seen), retained], [], 0.95)
        most = max(check.further_needed or 0 for check in verdict.checks)
        assert verdict.recommendation.needs == (Need(units=most, counted_in="rows", subpopulation="all"),)
        assert verdict.recommendation.text.startswith(f"COLLECT about {most:,} MORE ROWS: ")
        assert "also needed" not in verdict.recommendation.reason

    def test_a_claim_that_was_not_measured_comes_before_one_with_a_number(
        self, gap: Measure, gap_claim: Claim, above: Claim
    ) -> None:
        claims = [gap_claim("language=de"), above(COST, 2), gap_claim("language=fr")]
        recommendation = decide(claims, [gap("language=de", both=40)], [], 0.95).recommendation
        assert recommendation.text == (
            "MEASURE AGAIN: cost reduction was not measured; also needed: about 12 rows in language=de; "
            "still to be measured: accuracy gap on language=fr"
        )

    def test_an_unmeasured_claim_is_named_beside_one_that_tells_what_it_needs(
        self, estimate: Measure, below: Claim, above: Claim
    ) -> None:
        too_few = NotEstimable(reason="99 requests bound no p99", n=99, n_needed=299)
        claims = [below(STUDENT_P99, 50), above(COST, 2)]
        recommendation = decide(claims, [estimate(STUDENT_P99, too_few)], [], 0.95).recommendation
        assert recommendation.text == (
            "COLLECT about 200 MORE REQUESTS: p99 latency could not be measured: 99 requests bound no p99; "
            "still to be measured: cost reduction"
        )

    def test_without_a_number_it_says_measure_again_and_why(self, estimate: Measure, below: Claim) -> None:
        void = NotEstimable(reason="void: the generator fell behind", n=0)
        verdict = decide([below(STUDENT_P99, 50)], [estimate(STUDENT_P99, void)], [], 0.95)
        assert verdict.recommendation.text == (
            "MEASURE AGAIN: p99 latency could not be measured: void: the generator fell behind"
        )

    def test_an_interval_of_too_low_a_level_is_to_be_measured_again(self, figure: Measure, below: Claim) -> None:
        measured = figure(STUDENT_P99, 45, 40, 55)
        low = dataclasses.replace(measured, value=dataclasses.replace(measured.value, level=0.5))
        recommendation = decide([below(STUDENT_P99, 50)], [low], [], 0.95).recommendation
        assert recommendation.action is Action.MEASURE_AGAIN
        assert "holds at one-sided 75 %, and 95 % was asked for" in recommendation.reason

    def test_at_the_bar_itself_no_rows_help_and_the_teacher_stays(self, gap: Measure, gap_claim: Claim) -> None:
        recommendation = decide([gap_claim()], [gap(**AT_THE_BAR)], [], 0.95).recommendation
        assert recommendation.action is Action.KEEP_THE_TEACHER
        assert recommendation.reason.endswith(
            "no feasible amount of further evidence would decide it, the estimate lies too near the bar"
        )

    def test_a_claim_at_its_bar_is_not_hidden_behind_one_with_a_number(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim("language=de"), gap_claim("language=fr")]
        recommendation = decide(claims, [gap("language=de", **AT_THE_BAR), gap("language=fr", both=20)], [], 0.95)
        assert recommendation.recommendation.reason.endswith(
            "too near the bar to be decided: accuracy gap on language=de"
        )

    def test_rows_for_a_weighted_average_are_spread_over_its_groups(self, figure: Measure, gap_claim: Claim) -> None:
        where = weighted_by("channel")
        measured = figure("student_minus_teacher_accuracy", -0.02, -0.07, 0.03)
        weighted = dataclasses.replace(measured, subpopulation=where)
        text = decide([gap_claim(where, 0.05)], [weighted], [], 0.95).recommendation.text
        assert "MORE ROWS across the groups of channel: accuracy gap over all rows weighted by channel is" in text

    def test_rows_for_a_discovered_group_are_twice_those_of_the_half_that_confirms(
        self, gap: Measure, gap_claim: Claim
    ) -> None:
        where = "found: @words=≥23"
        text = decide([gap_claim(where)], [gap(where, both=40)], [], 0.95).recommendation.text
        assert text.startswith(
            "COLLECT about 24 MORE ROWS in @words=≥23: accuracy gap on the discovered subpopulation @words=≥23 is"
        )

    def test_many_open_groups_are_told_in_one_line(self, gap: Measure, gap_claim: Claim) -> None:
        names = [f"a={number:02d}" for number in range(40)]
        measured = [gap(name, both=10 + number) for number, name in enumerate(names)]
        recommendation = decide([gap_claim(name) for name in names], measured, [], 0.95).recommendation
        assert recommendation.text.startswith("COLLECT about 42 MORE ROWS in a=00: ")
        assert recommendation.reason.endswith(
            "also needed: about 41 rows in a=01, 40 in a=02, 39 in a=03, 38 in a=04, 37 in a=05, at most 36 in each "
            "of 34 more subpopulations"
        )
        assert len(recommendation.needs) == 40

    def test_an_open_watched_group_asks_for_no_rows(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim("language=de"), gap_claim("language=fr", required=False)]
        verdict = decide(claims, [gap("language=de", both=40), gap("language=fr", both=2)], [], 0.95)
        assert verdict.recommendation.text.startswith("COLLECT about 12 MORE ROWS in language=de")
        assert "language=fr" not in verdict.recommendation.text


def test_no_recommendation_speaks_in_raw_names(
    gap: Measure, figure: Measure, estimate: Measure, gap_claim: Claim, below: Claim, above: Claim
) -> None:
    void = NotEstimable(reason="void", n=0)
    names = [STUDENT_P99, "student_p50_ms", "teacher_over_student_p50", COST, "student_over_teacher_accuracy"]
    for name in [*names, TEACHER_ACCURACY, "student_minus_teacher_macro_f1"]:
        for measured in ([], [estimate(name, void)], [figure(name, 2.1, 1.5, 2.5)]):
            text = decide([above(name, 2), gap_claim("all")], [*measured, gap(**SAME)], [], 0.95).recommendation.text
            assert "_over_" not in text
            assert "student_" not in text
            assert "teacher_" not in text
            assert " in all" not in text


def test_a_recommendation_without_needs_is_its_action_and_its_reason() -> None:
    assert Recommendation(action=Action.RETRAIN, reason="it must").text == "RETRAIN: it must"
