from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import STUDENT_P99, Direction, Requirement
from evalkit.planning.break_even import break_even
from evalkit.planning.plan import Plan, all_at_once, planned_claims, put_together, teacher_accuracies
from evalkit.planning.question import Question
from evalkit.planning.rates import Observed
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS
from tests.unit.planning.asking import ask, gap_claim


def made(question: Question) -> Plan:
    return put_together(
        question, planned_claims(question), teacher_accuracies(question), break_even(None, None), (), ()
    )


def test_a_set_that_can_answer_has_nothing_to_say_against_it() -> None:
    plan = made(ask(1000, {"channel=web": (range(600), 0.05)}, overall=0.05))
    assert plan.answerable
    assert plan.cannot == ()


def test_what_cannot_be_answered_is_named_with_the_rows_to_add() -> None:
    plan = made(ask(1000, {"channel=web": (range(100), 0.05)}, overall=0.05))
    assert not plan.answerable
    (reason,) = plan.cannot
    assert reason.startswith("student_minus_teacher_accuracy in channel=web: ")
    assert "on 100 rows; add 163 rows (263 give 80%)" in reason


def test_a_watched_group_decides_nothing() -> None:
    question = ask(1000, overall=0.05)
    group = Group(name="channel=web", rows=np.arange(10), margin=0.05, required=False)
    watching = replace(
        question, groups=(group,), claims=(*question.claims, gap_claim(group.name, 0.05, required=False))
    )
    plan = made(watching)
    assert plan.answerable
    assert [claim.answerable for claim in plan.claims if not claim.required] == [False]


def test_nothing_required_is_nothing_answered() -> None:
    assert made(ask(1000)).cannot == ("no claim on the held-out rows is required; state a requirement",)


def test_what_blocks_the_question_is_enough_to_fail_it() -> None:
    plan = made(ask(1000, overall=0.05, blocked=("all 3 planned looks are used",)))
    assert plan.cannot == ("all 3 planned looks are used",)


def test_all_claims_together_are_between_the_product_and_the_weakest() -> None:
    plan = made(ask(900, {"a=1": (range(250), 0.05), "a=2": (range(250, 600), 0.05)}, overall=0.05))
    powers = [claim.power for claim in plan.claims]
    together = all_at_once(plan.claims)
    assert together.claims == 3
    assert together.product == pytest.approx(powers[0] * powers[1] * powers[2])
    assert together.minimum == min(powers)


def test_the_teachers_accuracy_is_given_in_every_group_once_it_has_answered() -> None:
    seen = Observed(source="a test", teacher=np.arange(1000) < 700, student=None)
    question = ask(1000, {"a=1": (range(700), 0.05), "a=2": (range(700, 1000), 0.05)}, overall=0.05, seen=seen)
    points = {
        each.subpopulation: each.value.point
        for each in teacher_accuracies(question)
        if isinstance(each.value, Interval)
    }
    assert points == {ALL_ROWS: 0.7, "a=1": 1.0, "a=2": 0.0}
    assert teacher_accuracies(ask(1000, overall=0.05)) == ()


def test_no_claim_and_no_group_is_left_out_silently() -> None:
    latency = Requirement(measurement=STUDENT_P99, subpopulation=ALL_ROWS, bound=50.0, direction=Direction.BELOW)
    metric = Requirement(
        measurement="student_minus_teacher_macro_f1", subpopulation=ALL_ROWS, bound=-0.02, direction=Direction.ABOVE
    )
    question = ask(1000, overall=0.05, claims=[latency, metric])
    groups = (
        Group(name="a=1", rows=np.arange(5), margin=0.05, required=False, merged_into=ALL_ROWS),
        Group(name="a=2", rows=np.arange(5, 9), margin=None, required=True),
    )
    plan = made(replace(question, groups=groups))
    said = {(each.name, each.subpopulation): each.reason for each in plan.left_out}
    assert "served models" in said[STUDENT_P99, ALL_ROWS]
    assert "right and wrong rows alone" in said["student_minus_teacher_macro_f1", ALL_ROWS]
    assert "merged into all" in said["group", "a=1"]
    assert "no margin" in said["group", "a=2"]
    assert plan.answerable, "what is left out is said, and does not change the answer about the rest"


def test_the_claim_of_a_merged_group_asks_for_no_power_and_is_listed() -> None:
    merged = replace(gap_claim("a=1", 0.05, required=False), merged_into=ALL_ROWS)
    question = ask(1000, overall=0.05)
    groups = (Group(name="a=1", rows=np.arange(5), margin=0.05, required=False, merged_into=ALL_ROWS),)
    plan = made(replace(question, groups=groups, claims=(*question.claims, merged)))
    assert [claim.subpopulation for claim in plan.claims] == [ALL_ROWS]
    (listed,) = plan.left_out
    assert (listed.subpopulation, listed.required) == ("a=1", False)
    assert listed.reason == "merged into all, which must pass in its place; it can only be shown to be broken"
    assert plan.answerable


def test_clusters_are_mentioned_when_nobody_knows_what_they_are_worth() -> None:
    plan = made(ask(1000, overall=0.05, clusters=np.repeat(np.arange(100), 10)))
    (note,) = plan.notes
    assert "1,000 rows share 100 clusters" in note
