"""The claims that a spec makes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import Direction, Requirement, requirements_of
from evalkit.spec.requirements import LatencyBar, MetricBar, QualityBar, Requirements

ABOVE, BELOW = Direction.ABOVE, Direction.BELOW


def claim(name: str, bound: float, direction: Direction, where: str = "all", *, required: bool = True) -> Requirement:
    return Requirement(measurement=name, subpopulation=where, bound=bound, direction=direction, required=required)


def test_the_default_policy_asks_for_the_gap_the_retention_and_a_saving() -> None:
    assert requirements_of(Requirements(), ()) == (
        claim("student_minus_teacher_accuracy", -0.05, ABOVE),
        claim("student_over_teacher_accuracy", 0.95, ABOVE),
        claim("teacher_over_student_cost", 2.0, ABOVE),
    )


def test_every_group_makes_a_claim_at_its_own_margin_and_only_a_required_one_decides() -> None:
    groups = (
        Group(name="language=de", rows=np.arange(9), margin=0.08, required=True),
        Group(name="language=fr", rows=np.arange(9), margin=0.2, required=False),
    )
    bar = Requirements(quality=QualityBar(retention=None), cost_reduction=None)
    assert requirements_of(bar, groups)[1:] == (
        claim("student_minus_teacher_accuracy", -0.08, ABOVE, "language=de"),
        claim("student_minus_teacher_accuracy", -0.2, ABOVE, "language=fr", required=False),
    )


def test_limits_bound_latencies_from_above_and_ratios_from_below() -> None:
    bar = Requirements(
        quality=QualityBar(retention=None),
        latency=LatencyBar(p50_ms=20, p99_ms=50),
        speed_up=1.5,
        speed_up_p99=1.2,
        cost_reduction=3,
    )
    assert requirements_of(bar, ())[1:] == (
        claim("student_p50_ms", 20, BELOW),
        claim("student_p99_ms", 50, BELOW),
        claim("teacher_over_student_p50", 1.5, ABOVE),
        claim("teacher_over_student_p99", 1.2, ABOVE),
        claim("teacher_over_student_cost", 3, ABOVE),
    )


def test_what_is_set_to_null_is_not_asked_for() -> None:
    bar = Requirements(quality=QualityBar(retention=None), cost_reduction=None)
    assert [each.measurement for each in requirements_of(bar, ())] == ["student_minus_teacher_accuracy"]


def group(name: str, margin: float | None = 0.08, **policy: object) -> Group:
    return Group(name=name, rows=np.arange(9), margin=margin, **{"required": True, **policy})  # type: ignore[arg-type]


NO_COST = {"cost_reduction": None}


def test_without_an_overall_margin_nothing_is_asked_of_all_rows() -> None:
    bar = Requirements(quality=QualityBar(overall_margin=None, retention=None), **NO_COST)
    claims = requirements_of(bar, (group("language=de"),), weighted=("language",))
    assert [each.subpopulation for each in claims] == ["language=de"]


def test_a_group_without_a_margin_makes_no_claim_and_a_merged_one_makes_one_that_can_only_break() -> None:
    bar = Requirements(quality=QualityBar(overall_margin=None, subpopulation_margin=None, retention=None), **NO_COST)
    groups = (
        group("language=de", None),
        group("language=fr", required=False, merged_into="all"),
        group("language=it", required=True),
        group("language=es", required=False),
    )
    merged, own, watched = requirements_of(bar, groups)
    assert (merged.subpopulation, merged.required, merged.merged_into) == ("language=fr", False, "all")
    assert (own.subpopulation, own.required, own.merged_into) == ("language=it", True, None)
    assert [each.can_break for each in (merged, own, watched)] == [True, True, False]


def test_a_required_group_with_too_few_rows_says_how_many_it_lacks() -> None:
    metrics = (MetricBar(metric="macro_f1", margin=0.02, subpopulations=True),)
    bar = Requirements(quality=QualityBar(overall_margin=None, retention=None, metrics=metrics), **NO_COST)
    groups = (
        group("language=de"),
        group("language=fr", required=False),
        group("language=it", required=False, merged_into="all"),
    )
    asked = requirements_of(bar, groups, higher_is_better={"macro_f1": True}, minimum_rows=20)
    short = {(each.measurement.removeprefix("student_minus_teacher_"), each.subpopulation) for each in asked[1:]}
    assert len(short) == 6
    assert {each.subpopulation: each.rows_short for each in asked} == {
        "all": 0,
        "language=de": 11,
        "language=fr": 0,
        "language=it": 0,
    }


def test_a_claim_that_is_both_required_and_left_to_another_is_refused() -> None:
    with pytest.raises(ValueError, match="teacher_accuracy in a=1 is required and merged into all; set required to F"):
        Requirement(measurement="teacher_accuracy", subpopulation="a=1", bound=0.5, direction=ABOVE, merged_into="all")


def test_the_teachers_own_accuracy_has_a_bar_from_below() -> None:
    bar = Requirements(quality=QualityBar(retention=None, teacher_accuracy=0.9), **NO_COST)
    assert requirements_of(bar, ())[1:] == (claim("teacher_accuracy", 0.9, ABOVE),)


def test_a_weighted_average_is_judged_at_the_overall_margin() -> None:
    bar = Requirements(quality=QualityBar(overall_margin=0.03, retention=None), **NO_COST)
    assert requirements_of(bar, (), weighted=("channel",))[1:] == (
        claim("student_minus_teacher_accuracy", -0.03, ABOVE, "all, weighted by channel"),
    )


class TestMetrics:
    DIRECTIONS: ClassVar = {"macro_f1": True, "log_loss": False, "house.rules:cost_of_errors": False}

    def asked(self, *metrics: MetricBar, groups: tuple[Group, ...] = ()) -> tuple[Requirement, ...]:
        quality = QualityBar(overall_margin=None, subpopulation_margin=None, retention=None, metrics=metrics)
        return requirements_of(Requirements(quality=quality, **NO_COST), groups, higher_is_better=self.DIRECTIONS)

    def test_of_which_more_is_better_are_bounded_from_below_and_others_from_above(self) -> None:
        asked = self.asked(MetricBar(metric="macro_f1", margin=0.02), MetricBar(metric="log_loss", margin=0.1))
        assert asked == (
            claim("student_minus_teacher_macro_f1", -0.02, ABOVE),
            claim("student_minus_teacher_log_loss", 0.1, BELOW),
        )

    def test_of_ones_own_keep_their_name(self) -> None:
        (own,) = self.asked(MetricBar(metric="house.rules:cost_of_errors", margin=0.5, required=False))
        assert own == claim("student_minus_teacher_house.rules:cost_of_errors", 0.5, BELOW, required=False)

    def test_are_asked_of_every_group_where_the_spec_says_so(self) -> None:
        groups = (
            group("language=de", None),
            group("language=fr", required=False),
            group("language=it", required=False, merged_into="all"),
        )
        asked = self.asked(MetricBar(metric="macro_f1", margin=0.02, subpopulations=True), groups=groups)
        name = "student_minus_teacher_macro_f1"
        assert asked[:4] == (
            claim(name, -0.02, ABOVE),
            claim(name, -0.02, ABOVE, "language=de"),
            claim(name, -0.02, ABOVE, "language=fr", required=False),
            replace(claim(name, -0.02, ABOVE, "language=it", required=False), merged_into="all"),
        )
        assert all(each.measurement != name for each in asked[4:])

    def test_that_are_watched_decide_in_no_group(self) -> None:
        watched = MetricBar(metric="macro_f1", margin=0.02, subpopulations=True, required=False)
        groups = (group("language=de", None), group("language=fr", None, required=False, merged_into="all"))
        assert [each.can_break for each in self.asked(watched, groups=groups)] == [False] * 3

    def test_whose_direction_nobody_gave_are_refused(self) -> None:
        with pytest.raises(ValueError, match="whether more of macro_f2 is better is not given; there are macro_f1"):
            self.asked(MetricBar(metric="macro_f2", margin=0.02))


class TestDiscovered:
    NAMES = ("length ≥ 120", "script=Greek")

    def test_must_pass_at_the_margin_of_subpopulations(self) -> None:
        bar = Requirements(
            quality=QualityBar(overall_margin=None, subpopulation_margin=0.06, retention=None), **NO_COST
        )
        assert requirements_of(bar, (), discovered=self.NAMES) == tuple(
            claim("student_minus_teacher_accuracy", -0.06, ABOVE, name) for name in self.NAMES
        )

    def test_are_only_watched_where_the_spec_says_so(self) -> None:
        bar = Requirements(quality=QualityBar(overall_margin=None, retention=None), **NO_COST)
        asked = requirements_of(bar, (), discovered=self.NAMES, discovery_required=False)
        assert [each.required for each in asked] == [False, False]

    def test_make_no_claim_without_a_margin(self) -> None:
        bar = Requirements(
            quality=QualityBar(overall_margin=None, subpopulation_margin=None, retention=None), **NO_COST
        )
        assert requirements_of(bar, (), discovered=self.NAMES) == ()


@pytest.mark.parametrize("bound", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", Direction)
def test_a_bound_that_is_no_number_is_refused_since_anything_would_pass(bound: float, direction: Direction) -> None:
    with pytest.raises(ValueError, match=r"the bound of student_p99_ms in all is .*; give a finite number"):
        claim("student_p99_ms", bound, direction)


@pytest.mark.parametrize(
    ("name", "is_quality"),
    [
        ("student_minus_teacher_accuracy", True),
        ("student_over_teacher_accuracy", True),
        ("teacher_accuracy", True),
        ("student_minus_teacher_ndcg@10", True),
        ("student_p99_ms", False),
        ("teacher_over_student_p50", False),
        ("teacher_over_student_cost", False),
    ],
)
def test_right_answers_are_quality_and_time_and_money_are_not(name: str, is_quality: bool) -> None:
    assert claim(name, 0.5, ABOVE).is_quality is is_quality
