"""A GO does not rest on counting the teacher's answers outside the labels as wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.check import CheckOutcome
from evalkit.decision.outcome import Outcome, outcome_of
from evalkit.decision.recommendation import Action
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.smallest import judged
from evalkit.decision.verdict import decide
from evalkit.quality.fidelity import fidelity_measurements
from evalkit.quality.outside import if_right, outside_measurements
from evalkit.quality.paired_gap import GAP, RETENTION, paired_measurements
from evalkit.spec.gate import OUTSIDE
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS

KEPT = Requirement(measurement=RETENTION, subpopulation=ALL_ROWS, bound=0.95, direction=Direction.ABOVE)


def measured(outside, rows=2000, lost=0):
    """A student that is wrong where the teacher answered outside the labels, and on ``lost`` rows more."""
    truth = np.array(["a", "b"] * (rows // 2), dtype=object)
    teacher, student = truth.copy(), truth.copy()
    teacher[:outside] = OUTSIDE
    student[: outside + lost] = np.where(truth[: outside + lost] == "a", "b", "a")
    table = pd.DataFrame({"row_label": truth, "teacher": teacher, "student": student})
    return [*paired_measurements(table, (), None, 0.9), *outside_measurements(table, (), None, 0.9)]


def test_a_gap_that_holds_only_while_they_count_as_wrong_is_inconclusive_and_named(gap_claim):
    """Counted as wrong the two are level; were they right the student would lose 10 of the 5 points allowed."""
    claims, found = [gap_claim(ALL_ROWS, 0.05)], measured(outside=200)
    verdict = decide(claims, found, [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE is outcome_of(claims, found, 0.95)
    assert [each.outcome for each in verdict.checks] == [CheckOutcome.PASSED, CheckOutcome.OPEN]
    assert verdict.deciding is not None
    assert verdict.deciding.requirement.measurement == if_right(GAP)
    assert verdict.recommendation.action is Action.MEASURE_AGAIN
    assert verdict.recommendation.reason == (
        "accuracy gap over all rows is between −11.2 and −9.0 points; allowed −5.0, with the teacher right wherever it "
        "answered outside the labels: read those answers, and ask for the labels more clearly"
    )
    assert not judged("small", verdict).is_good


def test_retention_is_asked_in_the_same_way():
    verdict = decide([KEPT], measured(outside=200), [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.deciding is not None
    assert verdict.deciding.requirement.measurement == if_right(RETENTION)
    assert "the student keeps" in verdict.deciding.explanation


def test_few_such_answers_leave_a_go_and_the_check_says_that_it_holds(gap_claim):
    claims, found = [gap_claim(ALL_ROWS, 0.05), KEPT], measured(outside=20)
    verdict = decide(claims, found, [], 0.95)
    assert verdict.outcome is Outcome.GO is outcome_of(claims, found, 0.95)
    assert [each.outcome for each in verdict.checks] == [CheckOutcome.PASSED] * 4


def test_a_watched_gap_holds_nothing_open(gap_claim):
    watched = dataclasses.replace(gap_claim(ALL_ROWS, 0.05), required=False)
    claims = [watched, dataclasses.replace(KEPT, bound=0.5)]
    assert decide(claims, measured(outside=200), [], 0.95).outcome is Outcome.GO


def test_it_never_makes_a_no_go_nor_takes_of_the_error_of_what_does(gap_claim):
    """A student broken by itself at exactly one claim's error stays so beside two checks that are far beyond."""
    assert decide([gap_claim(ALL_ROWS, 0.05)], measured(outside=1000), [], 0.95).outcome is Outcome.INCONCLUSIVE
    without = next(lost for lost in range(100, 200) if _is_no_go(gap_claim, 0, lost))
    assert _is_no_go(gap_claim, 300, without + 2)


def _is_no_go(gap_claim, outside, lost):
    return decide([gap_claim(ALL_ROWS, 0.05)], measured(outside, lost=lost), [], 0.95).outcome is Outcome.NO_GO


def test_more_rows_are_asked_for_only_where_they_could_show_it(gap_claim):
    near = decide([gap_claim(ALL_ROWS, 0.05)], measured(outside=90), [], 0.95)
    assert near.outcome is Outcome.INCONCLUSIVE
    assert near.recommendation.action is Action.COLLECT
    beyond = decide([gap_claim(ALL_ROWS, 0.05)], measured(outside=105), [], 0.95)
    assert beyond.recommendation.action is Action.MEASURE_AGAIN


def test_a_cascade_with_that_teacher_is_no_way_out(gap_claim):
    saving = Interval(point=3.0, lower=2.5, upper=3.5, level=0.9, n=1000, method="")
    offer = CascadeOffer(share_to_teacher=0.3, cost_reduction=saving, explanation="sure of 70 %")
    verdict = decide([gap_claim(ALL_ROWS, 0.05)], measured(outside=200), [], 0.95, offer)
    assert verdict.recommendation.action is Action.MEASURE_AGAIN


def test_a_copy_of_the_teacher_is_no_second_model_though_it_copies_answers_outside_the_labels(gap_claim):
    truth = np.array(["a", "b"] * 500, dtype=object)
    teacher = truth.copy()
    teacher[:10] = OUTSIDE

    def outcome(student):
        table = pd.DataFrame({"row_label": truth, "teacher": teacher, "student": student})
        found = [
            *paired_measurements(table, (), None, 0.9),
            *fidelity_measurements(table, "classification", ("a", "b"), None, 0.9, np.random.default_rng(1)),
            *outside_measurements(table, (), None, 0.9),
        ]
        return decide([gap_claim(ALL_ROWS, 0.05)], found, [], 0.95).outcome

    assert outcome(teacher) is Outcome.INCONCLUSIVE
    other = teacher.copy()
    other[0] = "a"
    assert outcome(other) is Outcome.GO
    moved = truth.copy()
    moved[10:20] = OUTSIDE
    assert outcome(moved) is Outcome.GO


@pytest.mark.parametrize("outside", [1, 40, 200])
def test_the_simulations_read_the_same_outcome(gap_claim, outside):
    claims = [gap_claim(ALL_ROWS, 0.03), KEPT]
    found = measured(outside)
    assert outcome_of(claims, found, 0.95) is decide(claims, found, [], 0.95).outcome


def test_a_student_at_the_bar_is_go_no_oftener_than_the_error_however_much_is_answered_outside(gap_claim):
    """Planted: 3 points worse than the teacher as its readable answers are, at a margin of 3; 5 % answered outside."""
    rng, draws, rows = np.random.default_rng(1), 60, 1500
    go = {"counted as wrong": 0, "asked both ways": 0}
    for _ in range(draws):
        truth = np.where(rng.random(rows) < 0.5, "a", "b").astype(object)
        teacher, student = (np.where(rng.random(rows) < error, "-", truth) for error in (0.05, 0.08))
        teacher[rng.random(rows) < 0.05] = OUTSIDE
        table = pd.DataFrame({"row_label": truth, "teacher": teacher, "student": student})
        counted = [*paired_measurements(table, (), None, 0.9)]
        both = [*counted, *outside_measurements(table, (), None, 0.9)]
        for name, found in zip(go, (counted, both), strict=True):
            go[name] += outcome_of([gap_claim(ALL_ROWS, 0.03)], found, 0.95) is Outcome.GO
    print({name: f"{count / draws:.2f}" for name, count in go.items()})  # noqa: T201 - the rates are the evidence
    assert go["counted as wrong"] / draws > 0.9
    assert go["asked both ways"] / draws <= 0.12
