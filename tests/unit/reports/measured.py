"""What the stages measured: quality from real counts, metrics, latency and cost as they were seen."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.cost.fleet import traffic_of
from evalkit.cost.per_request import cost_measurements, level_of_parts, usd_per_million
from evalkit.cost.report import CostReport, cost_report
from evalkit.data.subpopulations import Group
from evalkit.data.weights import weighted_groupings
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import weighted_by
from evalkit.record.run_record import LoadReport
from evalkit.spec.gate import GateSpec
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.proportions import proportion
from evalkit.stats.retention import retention
from evalkit.stats.weighted_difference import METHOD, weighted_bounds
from tests.unit.reports.counted import Cells

LEVEL = 0.90
FIGURES = {
    "teacher": {"p50_ms": 31.42, "p90_ms": 48.71, "p95_ms": 55.13, "p99_ms": 73.86, "saturated_rps": 33.47},
    "student": {"p50_ms": 4.123, "p90_ms": 6.027, "p95_ms": 7.318, "p99_ms": 11.94, "saturated_rps": 262.9},
}


def interval(point: float, spread: float, n: int, method: str = "order statistics", level: float = LEVEL) -> Interval:
    """A point, and ends that lie a share ``spread`` of it away."""
    return Interval(
        point=point, lower=point * (1 - spread), upper=point * (1 + spread), level=level, n=n, method=method
    )


def of(name: str, value: Estimate, where: str = ALL_ROWS, **more: Any) -> Measurement:
    return Measurement(
        name=name, subpopulation=where, unit=more.pop("unit", "share of rows"), value=value,
        evidence=more.pop("evidence", "predictions.parquet"), **more,
    )  # fmt: skip


def quality(cells: Cells, whole: PairedCounts, kl: Estimate, level: float = LEVEL) -> tuple[Measurement, ...]:
    """Gap and accuracies of all rows and of every group, and how closely the student follows its teacher."""
    measured = [of(RETENTION, retention(whole, level), counts=whole, unit="ratio")]
    for name, counts in ((ALL_ROWS, whole), *cells.items()):
        measured += [
            of(GAP, difference(counts, level), name, counts=counts),
            of("teacher_accuracy", proportion(counts.teacher_right, counts.n, level), name),
            of("student_accuracy", proportion(counts.student_right, counts.n, level), name),
        ]
    return (
        *measured,
        of("agreement", proportion(whole.both + whole.neither, whole.n, level)),
        of("negative_flip_rate", proportion(whole.teacher_only, whole.n, level)),
        of("positive_flip_rate", proportion(whole.student_only, whole.n, level)),
        of("teacher_student_kl", kl, unit="nats"),
    )


def weighted_gaps(groups: Sequence[Group], cells: Cells, level: float = LEVEL) -> tuple[Measurement, ...]:
    """The gap as production would see it, for every grouping whose groups have weights."""
    return tuple(
        of(GAP, _weighted([cells[group.name] for group in grouping.groups], grouping.shares, level), name)
        for grouping in weighted_groupings(groups)
        for name in (weighted_by(grouping.name),)
    )


def _weighted(counts: Sequence[PairedCounts], shares: Any, level: float) -> Interval:
    b, c, n = (np.array([getattr(each, what) for each in counts]) for what in ("student_only", "teacher_only", "n"))
    lower, upper = weighted_bounds(b, c, n, shares, level)
    return Interval(
        point=float(shares @ ((b - c) / n)),
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=int(n.sum()),
        method=METHOD,
    )


def load(role: str, void: tuple[str, ...] = ()) -> LoadReport:
    own = {
        "service_p50_ms": FIGURES[role]["p50_ms"] - 0.2,
        "goodput_rps": 39.9,
        "achieved_ratio": 0.9996,
        "send_lag_p99_ms": 0.412,
        "failed_requests": 0.0,
        "wrong_labels": 0.0,
        "generator_cpu_share": 0.31,
    }
    return LoadReport(
        role=role,
        rate_rps=40.0,
        requests=2391,
        figures=FIGURES[role] | own,
        void_reasons=void,
        measured_at="2025-03-01T09:31:07Z",
        pinning={"provider": "cpu", "server_core": 0, "generator_core": 1},
    )


def speed(void: Mapping[str, tuple[str, ...]], level: float = LEVEL) -> tuple[Measurement, ...]:
    """Latency and throughput of both models, or why there are none."""

    def figure(role: str, name: str, spread: float) -> Estimate:
        reasons = void.get(role)
        if reasons:
            return NotEstimable(reason=f"void: {' '.join(reasons)}", n=0)
        own = level_of_parts(level) if name == "saturated_rps" else level
        return interval(FIGURES[role][name], spread, 2391, level=own)

    p50 = {role: figure(role, "p50_ms", 0.02) for role in FIGURES}
    missing = [each for each in p50.values() if isinstance(each, NotEstimable)]
    ratio: Estimate = missing[0] if missing else interval(7.62, 0.03, 2391, "bootstrap", level)
    names = ((STUDENT_P50, "student", "p50_ms"), (STUDENT_P99, "student", "p99_ms"))
    names += (("teacher_p50_ms", "teacher", "p50_ms"), ("teacher_p99_ms", "teacher", "p99_ms"))
    latencies = [of(name, figure(role, which, 0.04), unit="ms") for name, role, which in names]
    rates = [
        of(f"{role}_saturated_rps", figure(role, "saturated_rps", 0.015), unit="requests/s")
        for role in ("student", "teacher")
    ]
    return (*latencies, *rates, of(SPEED_UP, ratio, unit="ratio"))


def priced(spec: GateSpec, measured: tuple[Measurement, ...]) -> tuple[tuple[Measurement, ...], CostReport | None]:
    """What a request costs, and what the record says of the prices."""
    if spec.cost is None:
        return (), None
    values = {each.name: each.value for each in measured}
    rates = {role: values.get(f"{role}_saturated_rps") for role in ("teacher", "student")}
    sides, traffic = {"teacher": spec.cost.teacher, "student": spec.cost.student}, traffic_of(spec.cost)
    usd = {role: usd_per_million(price, rates[role], traffic=traffic) for role, price in sides.items()}
    report = cost_report(spec.cost, usd, rates, {}, datetime.date(2025, 3, 1))
    return cost_measurements(usd["teacher"], usd["student"]), report


def mismatch(value: Estimate) -> Finding:
    fired = isinstance(value, Interval) and value.lower > 0.55
    return Finding(
        failure_mode=FailureMode.DISTRIBUTION_MISMATCH,
        measurement=of("held_out_against_production_auc", value, unit="area under the curve"),
        fired=fired,
        explanation=f"AUC {value.point:.2f}" if isinstance(value, Interval) else f"not measured: {value.reason}",
        corrective_practice="draw the held-out set and the training text anew from production inputs",
    )
