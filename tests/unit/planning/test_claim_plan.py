from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.data.subpopulations import Group
from evalkit.data.weights import weighted_groupings
from evalkit.decision.requirement import TEACHER_ACCURACY, Direction, Requirement
from evalkit.planning.claim_plan import ClaimPlan, plan_claim
from evalkit.planning.question import Question
from evalkit.planning.rates import Observed
from evalkit.quality.reweighted import weighted_by
from evalkit.stats.measurement import ALL_ROWS
from evalkit.stats.sample_size import feasibility_floor, rows_for_power
from tests.unit.planning.asking import ask, gap_claim, observed, retention_claim


def only(question: Question) -> ClaimPlan:
    (claim,) = question.planned()
    return plan_claim(claim, question)


def test_a_group_below_its_feasibility_floor_has_hardly_any_power_and_is_told_how_many_rows_to_add() -> None:
    plan = only(ask(500, {"channel=phone": (range(30), 0.05)}))
    assert (plan.n, plan.floor, plan.answerable) == (30, 52, False)
    assert plan.power < 0.15, "only a student that gains more rows than it loses could pass"
    needed = rows_for_power(0.0, 0.1, margin=0.05, confidence=0.95, power=0.8)
    assert (plan.rows_80, plan.further_rows) == (needed, 263 - 30)


def test_enough_rows_need_no_further_ones() -> None:
    plan = only(ask(400, overall=0.05))
    assert plan.answerable
    assert plan.further_rows == 0
    assert plan.rows_90 is not None
    assert plan.rows_80 is not None
    assert plan.rows_80 < plan.rows_90


def test_a_group_without_a_row_has_no_power() -> None:
    plan = only(ask(100, {"age=≥65": ([], 0.05)}))
    assert (plan.n, plan.power) == (0, 0.0)


def test_a_group_below_minimum_rows_cannot_pass_however_wide_its_margin() -> None:
    plan = only(ask(900, {"channel=phone": (range(600), 0.2)}, minimum_rows=1000))
    assert (plan.power, plan.floor, plan.rows_80, plan.further_rows) == (0.0, 1000, 1000, 400)


def test_observed_discordance_takes_the_place_of_the_assumption() -> None:
    teacher = np.arange(2000) % 5 != 0
    seen = observed(teacher, np.where(np.arange(2000) % 50 == 1, ~teacher, teacher))
    plan = only(ask(2000, overall=0.02, seen=seen))
    assert (plan.discordance, plan.discordance_from) == (0.02, "observed")
    assert plan.rows_80 == rows_for_power(0.0, 0.02, margin=0.02, confidence=0.95, power=0.8)


def test_rows_of_one_cluster_count_for_fewer_once_both_have_answered() -> None:
    """Twenty clusters of ten rows that are all alike: each cluster is worth hardly more than one row."""
    clusters = np.repeat(np.arange(40), 10)
    teacher = np.ones(400, dtype=bool)
    seen = observed(teacher, ~np.isin(clusters, [0, 1, 2, 3]))
    alone = only(ask(400, overall=0.08, seen=seen))
    clustered = only(ask(400, overall=0.08, seen=seen, clusters=clusters))
    assert clustered.design_effect > 5
    assert alone.design_effect == 1.0
    assert clustered.power < alone.power
    assert clustered.floor == pytest.approx(feasibility_floor(0.08, 0.95) * clustered.design_effect, abs=1)


def test_retention_has_a_power_of_its_own() -> None:
    plan = only(ask(300, claims=[retention_claim(0.95)]))
    assert 0.5 < plan.power < 1.0
    assert plan.floor is None


TEACHER_BAR = Requirement(measurement=TEACHER_ACCURACY, subpopulation=ALL_ROWS, bound=0.85, direction=Direction.ABOVE)


def test_the_teachers_accuracy_is_planned_before_it_has_answered() -> None:
    plan = only(ask(400, claims=[TEACHER_BAR]))
    assert plan.method == "enumeration"
    assert 0.5 < plan.power < 1.0


@pytest.mark.parametrize(("right", "power"), [(380, 1.0), (345, 0.0)])
def test_the_teachers_accuracy_is_known_once_it_has_answered(right: int, power: float) -> None:
    """345 of 400 are 86 %, above the bar of 85 %, but their lower bound is not."""
    seen = Observed(source="a test", teacher=np.arange(400) < right, student=None)
    plan = only(ask(400, claims=[TEACHER_BAR], seen=seen))
    assert (plan.method, plan.power) == ("already measured", power)


def test_an_average_with_production_weights_is_planned_too() -> None:
    groups = [
        Group(name=f"channel={name}", rows=rows, margin=None, required=False, weight=weight, columns=("channel",))
        for name, rows, weight in (("web", np.arange(900), 1.0), ("phone", np.arange(900, 1000), 9.0))
    ]
    claim = gap_claim(weighted_by("channel"), 0.05)
    question = ask(1000, claims=[claim], weighted=weighted_groupings(groups))
    question = replace(question, groups=tuple(groups))
    plan = only(question)
    assert plan.method == "normal approximation"
    assert plan.power < only(ask(1000, overall=0.05)).power, "nine tenths of production lie on a tenth of the rows"


def test_too_few_clusters_have_no_power_before_any_answer_is_known_and_more_rows_of_them_do_not_help() -> None:
    one_user = np.where(np.arange(4000) < 3800, 0, np.arange(4000))
    plan = only(ask(4000, overall=0.05, clusters=one_user))
    assert (plan.power, plan.answerable, plan.further_rows, plan.rows_80) == (0.0, False, None, None)
    assert plan.too_few_clusters is not None
    assert "one holds 95.0 % of them" in plan.too_few_clusters
    many_users = only(ask(4000, overall=0.05, clusters=np.arange(4000) // 10))
    assert many_users.answerable
    assert many_users.too_few_clusters is None


def test_a_weighted_average_that_one_user_outweighs_has_no_power() -> None:
    groups = tuple(
        Group(name=f"a={name}", rows=rows, margin=None, required=False, weight=weight, columns=("a",))
        for name, rows, weight in (("x", np.arange(1000), 0.9), ("y", np.arange(1000, 4000), 0.1))
    )
    claim = gap_claim("all, weighted by a", 0.05)
    user = np.where(np.arange(4000) < 1000, 0, np.arange(4000))
    question = ask(4000, claims=[claim], weighted=weighted_groupings(groups), clusters=user)
    assert plan_claim(claim, replace(question, groups=groups)).too_few_clusters is not None
    assert plan_claim(claim, replace(question, groups=groups, clusters=np.arange(4000))).too_few_clusters is None
