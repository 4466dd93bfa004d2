from __future__ import annotations

from evalkit.stats.interval import Interval
from evalkit.workflow.measuring_capacity import Capacity
from loadtest.capacity.cliff import Cliff
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import CapacityResult, StoppedBecause

RATE = Interval(point=220, lower=210, upper=232, level=0.95, n=17, method="block bootstrap")
CLIFF = Cliff(below_rps=214, above_rps=232, p99_below_ms=31, p99_above_ms=412)


def capacity(cliff: Cliff | None, certified_rps: float | None) -> Capacity:
    result = CapacityResult(
        plan=SearchPlan(limit_ms=50), rate=RATE, certified_rps=certified_rps, trials=(), cliff=cliff,
        stopped_because=StoppedBecause.PRECISE, explanation="narrow enough", seconds=292.0,
    )  # fmt: skip
    return Capacity(role="student", result=result, evidence="stages/capacity-student/x/capacity.json")


def test_the_record_keeps_limit_trials_certificate_and_cliff_beside_the_rate() -> None:
    found = capacity(CLIFF, 201.0)
    assert found.measurement.name == "student_capacity_rps"
    assert found.measurement.value == RATE
    assert found.figures == {
        "capacity_limit_ms": 50.0,
        "capacity_certified_rps": 201.0,
        "capacity_confidence": 0.95,
        "capacity_trials": 0.0,
        "capacity_seconds": 292.0,
        "capacity_cliff_below_rps": 214.0,
        "capacity_cliff_above_rps": 232.0,
        "capacity_cliff_p99_below_ms": 31.0,
        "capacity_cliff_p99_above_ms": 412.0,
    }


def test_without_a_cliff_or_a_certificate_no_number_stands_for_them() -> None:
    assert not any("cliff" in name or "certified" in name for name in capacity(None, None).figures)
