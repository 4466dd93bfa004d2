"""One model is served and loaded: latency from the intended send time at the stated rate, then its throughput."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.cost.per_request import level_of_parts
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99
from evalkit.record.hardware import hardware
from evalkit.record.layout import utc_now, write_json
from evalkit.record.run_record import LoadReport
from evalkit.record.stages import FINISHED, StageResult
from evalkit.spec.gate import Load
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.quantiles import quantile_ratio
from evalkit.workflow.gate import Gate
from evalkit.workflow.models import ServableModel
from evalkit.workflow.served_process import Served, served
from loadtest import layout as files
from loadtest.generator_info import read_generator_info
from loadtest.plan import Arrivals, OpenLoopPlan, SaturationPlan
from loadtest.run import run_plan
from loadtest.summary import LoadSummary, charged_latency_ms, count_answers, summarise, throughput
from loadtest.validity import saturation_void_reasons, void_reasons

VERSION = 1
ATTEMPTS = 2
LATENCY, SATURATION = "latency", "saturation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was measured of one model. ``latencies_ms`` [requests] is empty where the measurement is void."""

    report: LoadReport
    p50_ms: Estimate
    p99_ms: Estimate
    throughput_rps: Estimate
    latencies_ms: NDArray[np.float64]
    evidence: str


def load_model(gate: Gate, model: ServableModel, texts: list[str], expected: list[str]) -> Loaded:
    """Serves and loads one model with ``texts``, whose offline answers are ``expected``.

    A void measurement is repeated once; a second one stands as void, and is not kept for a later run.
    """
    load = gate.spec.load
    assert load is not None
    limit = gate.spec.requirements.latency.p99_ms

    def work(folder: Path) -> None:
        for attempt in range(ATTEMPTS):
            measured = _measure(gate, model, load, limit, texts, expected, folder)
            write_json(folder / "load.json", {**measured, "attempt": attempt + 1})
            if not measured["void"]:
                return

    result = gate.stage(
        f"load-{model.role}",
        VERSION,
        {
            "model": model.version,
            "load": load.model_dump(),
            "serve": gate.spec.serve.model_dump(),
            "limit_ms": limit,
            "seed": gate.spec.seed,
            "hardware": hardware(),
        },
        work,
    )
    written = result.read("load.json")
    if written["void"]:
        (result.folder / FINISHED).unlink()
    return _read(gate, model, load, result, written)


def _measure(
    gate: Gate,
    model: ServableModel,
    load: Load,
    limit: float | None,
    texts: list[str],
    expected: list[str],
    folder: Path,
) -> dict[str, Any]:
    server_core, generator_core = _cores(gate.spec.serve.threads)
    report = gate.reporter.progress
    with served(model.folder, gate.spec.serve, folder / "server.log", server_core) as server:
        plan = _open_loop(load, server.url, gate.spec.seed, limit)
        report(0.0, f"{load.rate_rps:g} requests a second for {load.duration_s:g} s")
        run_plan(
            plan,
            texts,
            expected,
            folder / LATENCY,
            core=generator_core,
            on_progress=lambda share: report(0.6 * share, f"open loop at {load.rate_rps:g} requests a second"),
        )
        saturation = _saturation(load, server.url, gate.spec.seed)
        run_plan(
            saturation,
            texts,
            expected,
            folder / SATURATION,
            core=generator_core,
            on_progress=lambda share: report(
                0.6 + 0.4 * share, f"{load.saturation_clients} clients, as fast as they can"
            ),
        )
    return _judge(folder, plan, saturation, server, limit)


def _judge(
    folder: Path, plan: OpenLoopPlan, saturation: SaturationPlan, server: Served, limit: float | None
) -> dict[str, Any]:
    samples = pd.read_parquet(folder / LATENCY / files.SAMPLES)
    generator = read_generator_info(folder / LATENCY / files.GENERATOR)
    summary = summarise(samples, plan, 0.9)
    saturated = pd.read_parquet(folder / SATURATION / files.SAMPLES)
    reasons = void_reasons(summary, generator, limit)
    # The saturating generator may use its whole core: what it measures is the server's limit, and a
    # generator that is itself the limit only makes the model look dearer than it is.
    saturation_reasons = saturation_void_reasons(
        count_answers(saturated), read_generator_info(folder / SATURATION / files.GENERATOR)
    )
    return {
        "void": bool(reasons or saturation_reasons),
        "latency_void": list(reasons),
        "saturation_void": list(saturation_reasons),
        "plan": asdict(plan),
        "saturation_plan": asdict(saturation),
        "provider": server.provider,
        "server_core": server.pinned_core,
        "generator": asdict(generator),
        "measured_at": utc_now(),
    }


def _read(gate: Gate, model: ServableModel, load: Load, result: StageResult, written: dict[str, Any]) -> Loaded:
    level = gate.level
    plan = _open_loop(load, written["plan"]["url"], gate.spec.seed, written["plan"]["limit_ms"])
    saturation = _saturation(load, written["plan"]["url"], gate.spec.seed)
    samples = pd.read_parquet(result.folder / LATENCY / files.SAMPLES)
    summary = summarise(samples, plan, level)
    reasons, saturation_reasons = tuple(written["latency_void"]), tuple(written["saturation_void"])
    saturated = pd.read_parquet(result.folder / SATURATION / files.SAMPLES)
    rate: Estimate = throughput(saturated, saturation, level_of_parts(level))
    evidence = str((result.folder / LATENCY / files.SAMPLES).relative_to(gate.run.root))
    return Loaded(
        report=_report(model.role, load, summary, rate, written),
        p50_ms=_unless_void(summary.p50_ms, reasons),
        p99_ms=_unless_void(summary.p99_ms, reasons),
        throughput_rps=_unless_void(rate, saturation_reasons),
        latencies_ms=np.empty(0) if reasons else charged_latency_ms(samples[~samples["warmup"]], plan),
        evidence=evidence,
    )


def _unless_void(estimate: Estimate, reasons: tuple[str, ...]) -> Estimate:
    return NotEstimable(reason=f"void: {' '.join(reasons)}", n=0) if reasons else estimate


def _report(role: str, load: Load, summary: LoadSummary, rate: Estimate, written: dict[str, Any]) -> LoadReport:
    estimates = {
        "p50_ms": summary.p50_ms,
        "p90_ms": summary.p90_ms,
        "p95_ms": summary.p95_ms,
        "p99_ms": summary.p99_ms,
        "service_p50_ms": summary.service_p50_ms,
        "goodput_rps": summary.goodput_rps,
        "saturated_rps": rate,
    }
    figures = {name: each.point for name, each in estimates.items() if isinstance(each, Interval)}
    plain = {"achieved_ratio": summary.achieved_ratio, "send_lag_p99_ms": summary.send_lag_p99_ms}
    figures |= {name: value for name, value in plain.items() if value is not None}
    figures |= {"failed_requests": summary.answers.failed, "wrong_labels": summary.answers.wrong_labels}
    figures["generator_cpu_share"] = written["generator"]["cpu_share"]
    return LoadReport(
        role=role,
        rate_rps=load.rate_rps,
        requests=summary.answers.requests,
        figures={name: float(value) for name, value in figures.items()},
        void_reasons=(*written["latency_void"], *written["saturation_void"]),
        measured_at=written["measured_at"],
        pinning={
            "provider": written["provider"],
            "server_core": written["server_core"],
            "generator_core": written["generator"]["core"],
        },
    )


def latency_measurements(gate: Gate, student: Loaded, teacher: Loaded) -> tuple[Measurement, ...]:
    """p50 and p99 of both, and the student's speed-up at p50 (bootstrap ratio of quantiles)."""
    level = gate.level

    def of(name: str, value: Estimate, unit: str, evidence: str) -> Measurement:
        return Measurement(name=name, subpopulation=ALL_ROWS, unit=unit, value=value, evidence=evidence)

    return (
        of(STUDENT_P50, student.p50_ms, "ms", student.evidence),
        of(STUDENT_P99, student.p99_ms, "ms", student.evidence),
        of("teacher_p50_ms", teacher.p50_ms, "ms", teacher.evidence),
        of("teacher_p99_ms", teacher.p99_ms, "ms", teacher.evidence),
        of("student_saturated_rps", student.throughput_rps, "requests/s", student.evidence),
        of("teacher_saturated_rps", teacher.throughput_rps, "requests/s", teacher.evidence),
        of(SPEED_UP, _speed_up(student, teacher, level, gate.spec.seed), "ratio", student.evidence),
    )


def _speed_up(student: Loaded, teacher: Loaded, level: float, seed: int) -> Estimate:
    for part in (student.p50_ms, teacher.p50_ms):
        if isinstance(part, NotEstimable):
            return part
    return quantile_ratio(teacher.latencies_ms, student.latencies_ms, 0.5, level, np.random.default_rng(seed))


def _open_loop(load: Load, url: str, seed: int, limit: float | None) -> OpenLoopPlan:
    return OpenLoopPlan(
        url=url,
        rate_rps=load.rate_rps,
        duration_s=load.duration_s,
        warmup_s=load.warmup_s,
        seed=seed,
        arrivals=Arrivals(load.arrivals),
        timeout_s=load.timeout_s,
        limit_ms=limit,
    )


def _saturation(load: Load, url: str, seed: int) -> SaturationPlan:
    return SaturationPlan(
        url=url,
        clients=load.saturation_clients,
        duration_s=load.saturation_s,
        warmup_s=1.0,
        seed=seed,
        timeout_s=load.timeout_s,
    )


def _cores(threads: int) -> tuple[int | None, int | None]:
    """A core for a one-thread server and another for the generator, where the system pins and has two."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return None, None
    return (usable[0] if threads == 1 else None), usable[-1]
