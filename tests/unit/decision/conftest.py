"""Claims and measurements as the gate makes them: counts in, intervals by the gate's own statistics."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.decision.requirement import Direction, Requirement
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention

CONFIDENCE = 0.95
LEVEL = 0.90

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]


@pytest.fixture
def gap() -> Measure:
    """The gap of one group: ``gap("language=de", both=90, student_only=2, teacher_only=8)``."""

    def measured(
        where: str = ALL_ROWS, *, both: int = 0, student_only: int = 0, teacher_only: int = 0, neither: int = 0
    ) -> Measurement:
        counts = PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)
        return _measurement(GAP, difference(counts, LEVEL), where, counts)

    return measured


@pytest.fixture
def kept() -> Measure:
    """The retention over all rows, from the same four counts."""

    def measured(*, both: int = 0, student_only: int = 0, teacher_only: int = 0, neither: int = 0) -> Measurement:
        counts = PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)
        return _measurement(RETENTION, retention(counts, LEVEL), ALL_ROWS, counts)

    return measured


@pytest.fixture
def figure() -> Measure:
    """A latency, a speed-up or a saving: ``figure("student_p99_ms", 40, 38, 43, n=1000)``."""

    def measured(name: str, point: float, lower: float, upper: float, n: int = 1000) -> Measurement:
        value = Interval(point=point, lower=lower, upper=upper, level=LEVEL, n=n, method="for the test")
        return _measurement(name, value)

    return measured


@pytest.fixture
def estimate() -> Measure:
    """A measurement of any name with any estimate."""
    return _measurement


@pytest.fixture
def gap_claim() -> Claim:
    """The student loses less than ``margin`` in one group."""

    def claim(where: str = ALL_ROWS, margin: float = 0.05, *, required: bool = True, **rest: Any) -> Requirement:
        return Requirement(
            measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE, required=required, **rest
        )

    return claim


@pytest.fixture
def merged_claim(gap_claim: Claim) -> Claim:
    """The same of a group that was merged into all rows, which must pass in its place."""
    return functools.partial(gap_claim, required=False, merged_into=ALL_ROWS)


@pytest.fixture
def below() -> Claim:
    """A limit from above, as on a latency."""

    def claim(name: str, bound: float) -> Requirement:
        return Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=Direction.BELOW)

    return claim


@pytest.fixture
def above() -> Claim:
    """A limit from below, as on a retention, a speed-up or a saving."""

    def claim(name: str, bound: float) -> Requirement:
        return Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=Direction.ABOVE)

    return claim


def _measurement(name: str, value: Estimate, where: str = ALL_ROWS, counts: PairedCounts | None = None) -> Measurement:
    return Measurement(name=name, subpopulation=where, unit="", value=value, evidence="evidence.json", counts=counts)
