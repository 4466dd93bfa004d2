from __future__ import annotations

from typing import Any

import pytest

from benchmarks.capacity_bench.loadgen import read_summary
from benchmarks.capacity_bench.main import ABOVE, BELOW, claims_of
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import CapacityResult, StoppedBecause

# what LoadGen 6.0.17 writes, shortened
SUMMARY = """================================================
MLPerf Results Summary
================================================
SUT name : PySUT
Scenario : Server
Mode     : PerformanceOnly
Completed samples per second    : 98.10
Result is : {verdict}
  Performance constraints satisfied : NO
99.00 percentile latency (ns)   : 31415926
"""


PEER = "mlcommons-loadgen 6.0.17"


def found(rate: float | None) -> CapacityResult:
    value: Estimate = (
        NotEstimable(reason="void: late", n=3)
        if rate is None
        else Interval(point=rate, lower=0.95 * rate, upper=1.05 * rate, level=0.9, n=9, method="")
    )
    return CapacityResult(
        plan=SearchPlan(limit_ms=25),
        rate=value,
        certified_rps=None,
        trials=(),
        cliff=None,
        stopped_because=StoppedBecause.PRECISE if rate else StoppedBecause.VOID,
        explanation="void: late" if rate is None else "",
        seconds=90,
    )


def verdicts(below: bool, above: bool) -> dict[float, dict[str, Any]]:
    return {BELOW: {"valid": below, "p99_ms": 20.0, "rps": 80.0}, ABOVE: {"valid": above, "p99_ms": 90.0, "rps": 110.0}}


def missed(claims: list[dict[str, Any]]) -> list[str]:
    return [each["claim"] for each in claims if not each["holds"]]


def test_searches_that_agree_with_each_other_and_the_referee_miss_nothing() -> None:
    assert missed(claims_of([found(100), found(104), found(96)], verdicts(True, False), 25, PEER)) == []


@pytest.mark.parametrize(
    ("rates", "below", "above", "miss"),
    [
        ((100, 112, 100), True, False, "highest ÷ lowest"),
        ((100, 100, 100), False, False, "VALID at 0.8 ×"),
        ((100, 100, 100), True, True, "INVALID at 1.2 ×"),
    ],
)
def test_each_disagreement_is_a_miss(rates: tuple[float, ...], below: bool, above: bool, miss: str) -> None:
    (only,) = missed(claims_of([found(rate) for rate in rates], verdicts(below, above), 25, PEER))
    assert miss in only


def test_a_void_search_is_reported_as_void() -> None:
    (only,) = claims_of([found(100), found(None), found(100)], {}, 25, PEER)
    assert (only["void"], only["holds"]) == ("void: late", False)


def test_the_summary_of_loadgen_is_read() -> None:
    assert read_summary(SUMMARY.format(verdict="INVALID")) == {"valid": False, "p99_ms": 31.415926, "rps": 98.1}
    assert read_summary(SUMMARY.format(verdict="VALID"))["valid"]
    with pytest.raises(ValueError, match="no verdict"):
        read_summary("")
