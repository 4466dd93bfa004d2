"""What a verdict tells its reader to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalkit.decision.requirement import STUDENT_P99, Requirement
from evalkit.decision.verdict import decide
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

SAME = {"both": 900, "neither": 100}
MUCH_WORSE = {"both": 700, "teacher_only": 200, "neither": 100}


@pytest.fixture
def finding(gap: Measure) -> Callable[[bool], Finding]:
    def made(fired: bool) -> Finding:
        return Finding(
            failure_mode=FailureMode.WRONG_METRIC,
            measurement=gap("language=de", **MUCH_WORSE),
            fired=fired,
            explanation="German lost 20 points",
            corrective_practice="add German training text",
        )

    return made


def test_go_says_deploy(gap: Measure, gap_claim: Claim, finding: Callable[[bool], Finding]) -> None:
    verdict = decide([gap_claim()], [gap(**SAME)], [finding(False)], 0.95)
    assert verdict.recommendation == "DEPLOY: every required claim is shown at the stated confidence"


def test_go_with_an_alarm_says_what_to_look_into(
    gap: Measure, gap_claim: Claim, finding: Callable[[bool], Finding]
) -> None:
    verdict = decide([gap_claim()], [gap(**SAME)], [finding(True)], 0.95)
    assert verdict.recommendation == "DEPLOY, and look into this first: German lost 20 points"


def test_no_go_on_quality_says_retrain(gap: Measure, gap_claim: Claim, finding: Callable[[bool], Finding]) -> None:
    verdict = decide([gap_claim()], [gap(**MUCH_WORSE)], [finding(False)], 0.95)
    assert verdict.recommendation.startswith("RETRAIN: train a larger student")


def test_no_go_with_an_alarm_says_how_to_retrain(
    gap: Measure, gap_claim: Claim, finding: Callable[[bool], Finding]
) -> None:
    verdict = decide([gap_claim()], [gap(**MUCH_WORSE)], [finding(True)], 0.95)
    assert verdict.recommendation == "RETRAIN: add German training text"


def test_no_go_on_latency_alone_says_keep_the_teacher_and_why(
    gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
) -> None:
    claims = [gap_claim(), below(STUDENT_P99, 50)]
    verdict = decide(claims, [gap(**SAME), figure(STUDENT_P99, 60, 55, 65)], [], 0.95)
    assert verdict.recommendation == "KEEP THE TEACHER: p99 is between 55.00 and 65.00 ms; allowed 50 ms"


def test_no_go_on_both_says_retrain_since_no_server_repairs_quality(
    gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
) -> None:
    claims = [below(STUDENT_P99, 50), gap_claim()]
    verdict = decide(claims, [gap(**MUCH_WORSE), figure(STUDENT_P99, 60, 55, 65)], [], 0.95)
    assert verdict.recommendation.startswith("RETRAIN:")


def test_a_failed_watched_group_is_no_reason_to_retrain(
    gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
) -> None:
    claims = [gap_claim("language=de", required=False), below(STUDENT_P99, 50)]
    measured = [gap("language=de", **MUCH_WORSE), figure(STUDENT_P99, 60, 55, 65)]
    assert decide(claims, measured, [], 0.95).recommendation.startswith("KEEP THE TEACHER:")


def test_inconclusive_says_how_many_more_rows_and_of_whom(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim("language=de"), gap_claim("language=fr")]
    verdict = decide(claims, [gap("language=de", both=40), gap("language=fr", both=20)], [], 0.95)
    assert verdict.recommendation.startswith("COLLECT about 32 MORE ROWS in language=fr: accuracy gap on language=fr")


def test_inconclusive_on_a_latency_says_how_many_more_requests(figure: Measure, below: Claim) -> None:
    verdict = decide([below(STUDENT_P99, 50)], [figure(STUDENT_P99, 45, 40, 55, n=1000)], [], 0.95)
    assert "COLLECT about 3,000 MORE REQUESTS" in verdict.recommendation


def test_inconclusive_without_a_number_says_measure_again_and_why(estimate: Measure, below: Claim) -> None:
    void = NotEstimable(reason="void: the generator fell behind", n=0)
    verdict = decide([below(STUDENT_P99, 50)], [estimate(STUDENT_P99, void)], [], 0.95)
    assert verdict.recommendation == (
        "MEASURE AGAIN: student_p99_ms over all rows could not be measured: void: the generator fell behind"
    )


def test_an_open_watched_group_asks_for_no_rows(gap: Measure, gap_claim: Claim) -> None:
    claims = [gap_claim("language=de"), gap_claim("language=fr", required=False)]
    verdict = decide(claims, [gap("language=de", both=40), gap("language=fr", both=2)], [], 0.95)
    assert verdict.recommendation.startswith("COLLECT about 12 MORE ROWS in language=de")
