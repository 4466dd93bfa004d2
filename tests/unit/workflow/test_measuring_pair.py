from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evalkit.spec.gate import Load
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.workflow.measuring_pair import (
    Paired,
    Turn,
    in_turns,
    recorded_speed_up_measurements,
    segment_plans,
    speed_up_measurements,
)
from evalkit.workflow.served_process import Served
from loadtest.plan import OpenLoopPlan
from loadtest.schedule import intended_times, payload_order

LOAD = Load(rate_rps=40, duration_s=20)


def turn(role: str) -> Turn:
    url = f"http://127.0.0.1:{8001 if role == 'student' else 8002}"
    return Turn(role=role, server=Served(url=url, pid=1, provider="cpu", version="1", pinned_core=0), expected=["a"])


TURNS = (turn("student"), turn("teacher"))


def test_the_segments_are_together_as_long_as_the_load_that_was_asked_for() -> None:
    plans = segment_plans(LOAD, 50.0, seed=7)
    assert len(plans) == 10
    assert sum(plan.duration_s for plan in plans) == pytest.approx(20)
    assert [plan.seed for plan in plans] == list(range(7, 17))
    assert {plan.limit_ms for plan in plans} == {50.0}


@pytest.mark.parametrize(("rate", "duration", "count", "each"), [(40, 2, 4, 1.0), (2, 20, 4, 5.0), (1, 20, 4, 10.0)])
def test_there_are_never_fewer_than_four_segments_nor_fewer_than_ten_requests_expected_in_one(
    rate: float, duration: float, count: int, each: float
) -> None:
    plans = segment_plans(Load(rate_rps=rate, duration_s=duration), None, seed=1)
    assert [plan.duration_s for plan in plans] == [each] * count


def test_both_models_get_the_same_schedule_and_payloads_in_turns(tmp_path: Path) -> None:
    seen: list[tuple[str, OpenLoopPlan]] = []
    plans = segment_plans(LOAD, None, seed=1)[:4]

    def run(plan: OpenLoopPlan, whose: Turn, folder: Path) -> tuple[str, ...]:
        seen.append((whose.role, plan))
        assert plan.url == whose.server.url
        return ()

    assert in_turns(plans, TURNS, tmp_path, run, lambda share, note: None) == ()
    student, teacher = "student", "teacher"
    assert [role for role, _ in seen] == [student, teacher, teacher, student, student, teacher, teacher, student]
    for (_, one), (_, other) in zip(seen[::2], seen[1::2], strict=True):
        assert intended_times(one).tolist() == intended_times(other).tolist()
        assert one.seed == other.seed
    assert next(payload_order(plans[0].seed, 1000)) != next(payload_order(plans[1].seed, 1000))


def test_a_void_segment_is_repeated_with_its_partner_once(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def run(plan: OpenLoopPlan, whose: Turn, folder: Path) -> tuple[str, ...]:
        seen.append((whose.role, folder.name))
        return ("late",) if len(seen) == 3 else ()

    assert in_turns(segment_plans(LOAD, None, 1)[:2], TURNS, tmp_path, run, lambda share, note: None) == ()
    assert [number for _, number in seen] == ["01", "01", "02", "02", "02", "02"]


def test_a_segment_that_is_void_twice_voids_the_comparison_with_its_reason(tmp_path: Path) -> None:
    seen: list[str] = []

    def run(plan: OpenLoopPlan, whose: Turn, folder: Path) -> tuple[str, ...]:
        seen.append(whose.role)
        return ("It sent late.",) if whose.role == "teacher" else ()

    reasons = in_turns(segment_plans(LOAD, None, 1), TURNS, tmp_path, run, lambda share, note: None)
    assert reasons == ("teacher, segment 1: It sent late.",)
    assert len(seen) == 4


def paired(void: tuple[str, ...] = ()) -> Paired:
    rng = np.random.default_rng(1)
    speed = np.exp(0.3 * rng.standard_normal(10))
    return Paired(
        student_ms=tuple(rng.exponential(10 * each, size=200) for each in speed),
        teacher_ms=tuple(rng.exponential(40 * each, size=200) for each in speed),
        void_reasons=void,
        evidence="stages/load-pair/x/pair.json",
    )


def test_the_speed_up_is_measured_at_p50_and_p99() -> None:
    p50, p99 = speed_up_measurements(paired(), 0.9, seed=1)
    assert (p50.name, p99.name) == ("teacher_over_student_p50", "teacher_over_student_p99")
    for each in (p50, p99):
        assert isinstance(each.value, Interval)
        assert each.value.lower < 4.0 < each.value.upper
        assert "paired segments" in each.value.method


def test_a_void_comparison_is_no_speed_up() -> None:
    for each in speed_up_measurements(paired(void=("teacher, segment 1: It sent late.",)), 0.9, seed=1):
        assert isinstance(each.value, NotEstimable)
        assert each.value.reason == "void: teacher, segment 1: It sent late."


def test_a_teacher_behind_an_api_is_compared_by_its_recorded_latencies_and_the_method_says_so() -> None:
    rng = np.random.default_rng(2)
    measured = recorded_speed_up_measurements(
        rng.exponential(500, size=2000), rng.exponential(10, size=2000), 0.9, 1, "teacher.parquet"
    )
    for each in measured:
        assert isinstance(each.value, Interval)
        assert each.value.lower < 50 < each.value.upper
        assert each.value.method.endswith("the teacher's latencies as recorded with its answers")
    few = recorded_speed_up_measurements(rng.exponential(500, size=50), rng.exponential(10, size=2000), 0.9, 1, "x")
    assert isinstance(few[1].value, NotEstimable)
    none = recorded_speed_up_measurements(rng.exponential(500, size=500), np.empty(0), 0.9, 1, "x")
    assert all(isinstance(each.value, NotEstimable) for each in none)
