"""load.capacity: off unless it is stated, and refused where there is no limit to keep."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from evalkit.errors import SpecError
from evalkit.spec.gate import GateSpec
from evalkit.spec.loading import parse_spec

PRICE = {"usd_per_million_requests": 10, "source": "invoice", "date": "2026-11-01"}


def parse(load: dict[str, Any], latency: dict[str, Any] | None = None, **changes: Any) -> GateSpec:
    spec = {
        "task": {"name": "reviews", "labels": ["bad", "good"]},
        "data": {"held_out": "held_out.csv"},
        "teacher": {"load": "teacher"},
        "student": {"load": "student"},
        "cost": {"teacher": PRICE, "student": PRICE},
        "load": {"rate_rps": 40, **load},
        "requirements": {"latency": latency or {}},
    }
    return parse_spec(yaml.safe_dump(spec | changes), "gate.yaml")


def test_no_capacity_is_searched_for_unless_the_spec_says_so() -> None:
    load = parse({}).load
    assert load is not None
    assert load.capacity is None


def test_a_search_takes_its_limit_from_the_requirement_or_its_own() -> None:
    of_requirement = parse({"capacity": {}}, {"p99_ms": 25}).load
    own = parse({"capacity": {"p99_ms": 100, "max_minutes": 2}}).load
    assert of_requirement is not None
    assert of_requirement.capacity is not None
    assert (of_requirement.capacity.p99_ms, of_requirement.capacity.max_minutes) == (None, 5)
    assert own is not None
    assert own.capacity is not None
    assert own.capacity.p99_ms == 100


@pytest.mark.parametrize(
    ("load", "latency", "message"),
    [
        ({"capacity": {}}, {}, "load.capacity has no limit to keep"),
        ({"capacity": {"p99_ms": 3000}, "timeout_s": 2}, {}, "requests are given up after load.timeout_s 2"),
        ({"capacity": {}, "timeout_s": 2}, {"p99_ms": 3000}, "requests are given up after load.timeout_s 2"),
        ({"capacity": {"p99_ms": 0}}, {}, "load.capacity.p99_ms"),
        ({"capacity": {"max_minutes": 0.1}}, {"p99_ms": 25}, "load.capacity.max_minutes"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(load: dict[str, Any], latency: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse(load, latency)


def test_a_recorded_teacher_may_stand_beside_a_student_under_load() -> None:
    assert parse({}, teacher={"recorded": "teacher.parquet"}).load is not None
    with pytest.raises(SpecError, match="recorded predictions cannot be served; remove it, or give the student"):
        parse({}, student={"recorded": "student.parquet"})
