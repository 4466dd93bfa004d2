"""The claims that a spec makes."""

from __future__ import annotations

import numpy as np

from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import Direction, Requirement, requirements_of
from evalkit.spec.gate import LatencyBar, QualityBar, Requirements

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
        quality=QualityBar(retention=None), latency=LatencyBar(p50_ms=20, p99_ms=50), speed_up=1.5, cost_reduction=3
    )
    assert requirements_of(bar, ())[1:] == (
        claim("student_p50_ms", 20, BELOW),
        claim("student_p99_ms", 50, BELOW),
        claim("teacher_over_student_p50", 1.5, ABOVE),
        claim("teacher_over_student_cost", 3, ABOVE),
    )


def test_what_is_set_to_null_is_not_asked_for() -> None:
    bar = Requirements(quality=QualityBar(retention=None), cost_reduction=None)
    assert [each.measurement for each in requirements_of(bar, ())] == ["student_minus_teacher_accuracy"]
