"""The verdict: decided on bounds, by required claims only."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from evalkit.decision.check import CheckOutcome
from evalkit.decision.outcome import outcome_of
from evalkit.decision.recommendation import Action, Recommendation
from evalkit.decision.requirement import STUDENT_P99, Requirement
from evalkit.decision.verdict import Outcome, Verdict, decide
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

SAME = {"both": 900, "neither": 100}
SLIGHTLY_WORSE = {"both": 860, "student_only": 20, "teacher_only": 40, "neither": 80}
MUCH_WORSE = {"both": 800, "teacher_only": 150, "neither": 50}
ON_TOO_FEW_ROWS = {"both": 27, "neither": 3}


def test_verdict_is_go_when_every_bound_lies_inside_its_margin(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de", 0.08)]
    verdict = decide(claims, [gap(**SAME), gap("language=de", **SLIGHTLY_WORSE)], [], 0.95)
    assert verdict.outcome is Outcome.GO
    assert [check.outcome for check in verdict.checks] == [CheckOutcome.PASSED, CheckOutcome.PASSED]


def test_verdict_is_no_go_when_one_group_is_shown_outside_though_the_others_pass(
    gap: Measure, gap_claim: Claim
) -> None:
    claims = [gap_claim(), gap_claim("language=de", 0.08)]
    verdict = decide(claims, [gap(**SAME), gap("language=de", **MUCH_WORSE)], [], 0.95)
    assert verdict.outcome is Outcome.NO_GO
    assert [check.outcome for check in verdict.checks] == [CheckOutcome.PASSED, CheckOutcome.FAILED]


def test_verdict_is_inconclusive_when_a_subpopulation_is_too_small(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de", 0.05)]
    verdict = decide(claims, [gap(**SAME), gap("language=de", **ON_TOO_FEW_ROWS)], [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_failed_claim_weighs_more_than_an_open_one(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim("language=de"), gap_claim("language=fr")]
    measured = [gap("language=de", **ON_TOO_FEW_ROWS), gap("language=fr", **MUCH_WORSE)]
    assert decide(claims, measured, [], 0.95).outcome is Outcome.NO_GO


@pytest.mark.parametrize(
    ("lost_of_100", "side"), [pytest.param(4, "inside", id="−4 of 5"), pytest.param(7, "outside", id="−7 of 5")]
)
def test_a_point_estimate_on_either_side_of_the_margin_decides_nothing(
    lost_of_100: int, side: str, gap: Measure, gap_claim: Claim
) -> None:
    measured = gap(both=90, teacher_only=lost_of_100, neither=10 - lost_of_100)
    assert isinstance(measured.value, Interval)
    assert (measured.value.point > -0.05) is (side == "inside")
    assert decide([gap_claim(margin=0.05)], [measured], [], 0.95).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"),
    [
        (30.0, 49.9, Outcome.GO),
        (30.0, 50.0, Outcome.INCONCLUSIVE),  # at the bar is not inside it
        (50.0, 60.0, Outcome.INCONCLUSIVE),
        (50.1, 60.0, Outcome.NO_GO),
    ],
)
def test_a_latency_must_lie_below_its_limit(
    lower: float, upper: float, outcome: Outcome, figure: Measure, below: Claim
) -> None:
    measured = figure(STUDENT_P99, (lower + upper) / 2, lower, upper)
    assert decide([below(STUDENT_P99, 50.0)], [measured], [], 0.95).outcome is outcome


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"),
    [
        (2.1, 3.0, Outcome.GO),
        (2.0, 3.0, Outcome.INCONCLUSIVE),
        (1.5, 2.0, Outcome.INCONCLUSIVE),
        (1.5, 1.9, Outcome.NO_GO),
    ],
)
@pytest.mark.parametrize("name", ["teacher_over_student_cost", "teacher_over_student_p50", "teacher_over_student_p99"])
def test_a_saving_and_a_speed_up_must_lie_above_their_bar(
    name: str, lower: float, upper: float, outcome: Outcome, figure: Measure, above: Claim
) -> None:
    measured = figure(name, (lower + upper) / 2, lower, upper)
    assert decide([above(name, 2.0)], [measured], [], 0.95).outcome is outcome


def test_a_watched_group_is_reported_as_failed_and_decides_nothing(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de", required=False)]
    verdict = decide(claims, [gap(**SAME), gap("language=de", **MUCH_WORSE)], [], 0.95)
    assert verdict.outcome is Outcome.GO
    assert verdict.checks[1].outcome is CheckOutcome.FAILED
    assert verdict.deciding is verdict.checks[0]


def test_an_open_watched_group_does_not_stop_a_go(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de", required=False), gap_claim("language=fr", required=False)]
    verdict = decide(claims, [gap(**SAME), gap("language=de", **ON_TOO_FEW_ROWS)], [], 0.95)
    assert verdict.outcome is Outcome.GO


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.GO, 0), (Outcome.NO_GO, 1), (Outcome.INCONCLUSIVE, 3)], ids=str)
def test_each_outcome_has_an_exit_code_of_its_own(outcome: Outcome, code: int) -> None:
    nothing = Recommendation(action=Action.STATE_A_REQUIREMENT, reason="nothing was required")
    assert Verdict(outcome=outcome, checks=(), deciding=None, recommendation=nothing).exit_code == code


def test_the_outcome_alone_is_that_of_the_whole_verdict(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim(), gap_claim("language=de", 0.08), gap_claim("watched=1", required=False)]
    for seen in (SAME, SLIGHTLY_WORSE, MUCH_WORSE, ON_TOO_FEW_ROWS):
        measured = [gap(**SAME), gap("language=de", **seen), gap("watched=1", **MUCH_WORSE)]
        assert outcome_of(claims, measured, 0.95) is decide(claims, measured, [], 0.95).outcome


def test_a_verdict_survives_being_written_as_json(
    gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
) -> None:
    adapter = TypeAdapter(Verdict)
    claims = [gap_claim(), gap_claim("language=de", 0.08), below(STUDENT_P99, 50)]
    for seen, p99 in ((SAME, 30), (MUCH_WORSE, 30), (ON_TOO_FEW_ROWS, 30), (SAME, 50)):
        measured = [gap(**SAME), gap("language=de", **seen), figure(STUDENT_P99, p99, 0.9 * p99, 1.1 * p99)]
        verdict = decide(claims, measured, [], 0.95)
        assert verdict.stability is not None
        written = json.dumps(adapter.dump_python(verdict, mode="json"), allow_nan=False)
        assert adapter.validate_json(written) == verdict


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0, 95.0, math.nan])
def test_a_confidence_at_which_nothing_is_bounded_is_refused(confidence: float, gap: Measure, gap_claim: Claim) -> None:
    with pytest.raises(ValueError, match="confidence is"):
        decide([gap_claim()], [gap(**SAME)], [], confidence)


def test_a_higher_confidence_needs_intervals_of_that_confidence(gap: Measure, gap_claim: Claim) -> None:
    # As a look at the same rows asks for that spends only a part of 1 − 0.95.
    counts = PairedCounts(both=900, student_only=0, teacher_only=0, neither=100)
    assert decide([gap_claim()], [gap(**SAME)], [], 0.99).outcome is Outcome.INCONCLUSIVE
    strict = dataclasses.replace(gap(**SAME), value=difference(counts, 0.98))
    assert decide([gap_claim()], [strict], [], 0.99).outcome is Outcome.GO


class TestDecidingCheck:
    """``deciding`` is the claim that a reader has to look at first."""

    def test_of_a_no_go_is_the_failed_claim_farthest_beyond_its_margin(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim("a=1", 0.08), gap_claim("a=2", 0.08), gap_claim("a=3", 0.08)]
        measured = [gap("a=1", both=850, teacher_only=150), gap("a=2", both=700, teacher_only=300), gap("a=3", **SAME)]
        assert decide(claims, measured, [], 0.95).deciding.requirement.subpopulation == "a=2"  # type: ignore[union-attr]

    def test_of_a_go_is_the_claim_that_passed_most_narrowly(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim("a=1", 0.08), gap_claim("a=2", 0.08)]
        measured = [gap("a=1", **SAME), gap("a=2", **SLIGHTLY_WORSE)]
        assert decide(claims, measured, [], 0.95).deciding.requirement.subpopulation == "a=2"  # type: ignore[union-attr]

    def test_of_an_inconclusive_verdict_is_an_unmeasured_claim_before_a_measured_one(
        self, gap: Measure, gap_claim: Claim
    ) -> None:
        claims = [gap_claim("a=1", 0.05), gap_claim("a=2", 0.05), gap_claim("a=3", 0.05)]
        measured = [gap("a=1", **ON_TOO_FEW_ROWS), gap("a=3", **SAME)]
        assert decide(claims, measured, [], 0.95).deciding.requirement.subpopulation == "a=2"  # type: ignore[union-attr]
