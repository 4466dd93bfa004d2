"""One model is served and loaded: latency from the intended send time at the stated rate, then its throughput."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.cost.per_request import level_of_parts
from evalkit.data.subpopulations import Group
from evalkit.record.hardware import hardware
from evalkit.record.layout import utc_now, write_json
from evalkit.record.run_record import LoadReport
from evalkit.record.stages import FINISHED, StageResult
from evalkit.spec.gate import Load
from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.workflow.gate import Gate
from evalkit.workflow.judging_load import judge_latency, judge_saturation, load_report
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.served_process import served
from loadtest import layout as files
from loadtest.analysis import analyse
from loadtest.crew import Progress
from loadtest.plan import Arrivals, OpenLoopPlan, Plan, SaturationPlan
from loadtest.run import run_plan
from loadtest.samples import read_samples
from loadtest.server_watch import Watched, watching, write_watched
from loadtest.summary import charged_latency_ms, throughput
from loadtest.validity import ServedSide

VERSION = 4
ATTEMPTS = 2
LATENCY, SATURATION = "latency", "saturation"

Tags = Mapping[str, Sequence[Any]]
Requests = tuple[list[str], list[str], Tags]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was measured of one model. ``latencies_ms`` [requests] is empty where the measurement is void."""

    report: LoadReport
    p50_ms: Estimate
    p99_ms: Estimate
    throughput_rps: Estimate
    latencies_ms: NDArray[np.float64]
    evidence: str


def load_model(
    gate: Gate, model: ServableModel, texts: list[str], expected: list[str], tags: Tags | None = None
) -> Loaded:
    """Serves and loads one model with ``texts``, whose offline answers are ``expected``.

    ``tags`` (a value a text, by name) are the subpopulations that latency is also reported for.
    A void measurement is repeated once; a second one stands as void, and is not kept for a later run.
    """
    load = gate.spec.load
    assert load is not None
    limit = gate.spec.requirements.latency.p99_ms

    def work(folder: Path) -> None:
        for attempt in range(ATTEMPTS):
            measured = _measure(gate, model, load, limit, (texts, expected, tags or {}), folder)
            write_json(folder / "load.json", {**measured, "attempt": attempt + 1})
            if not measured["void"]:
                return

    result = gate.stage(
        f"load-{model.role}",
        VERSION,
        {
            "model": model.version,
            "load": load.model_dump(exclude={"capacity"}),
            "serve": gate.spec.serve.model_dump(),
            "limit_ms": limit,
            "seed": gate.spec.seed,
            "tags": sorted(tags or {}),
            "hardware": hardware(),
            **model.judged_with,
        },
        work,
    )
    written = result.read("load.json")
    if written["void"]:
        (result.folder / FINISHED).unlink()
    return _read(gate, model, load, result, written)


def tags_of(groups: Sequence[Group], rows: int) -> Tags:
    """One tag a column that groups are declared by, with each row's value there; None where a row has none."""
    tags: dict[str, list[str | None]] = {}
    for group in groups:
        if len(group.columns) == 1:
            values = tags.setdefault(group.columns[0], [None] * rows)
            for row in group.rows.tolist():
                values[row] = group.values[0]
    return tags


def _measure(
    gate: Gate, model: ServableModel, load: Load, limit: float | None, requests: Requests, folder: Path
) -> dict[str, Any]:
    server_core, generator_core = cores(gate.spec.serve.threads)
    report = gate.reporter.progress
    with served(model.folder, gate.spec.serve, folder / "server.log", server_core) as server:
        plan = _open_loop(load, server.url, gate.spec.seed, limit)
        report(0.0, f"{load.rate_rps:g} requests a second for {load.duration_s:g} s")
        watched = _run(
            plan,
            requests,
            folder / LATENCY,
            (server.pid, generator_core),
            lambda share: report(0.6 * share, f"open loop at {load.rate_rps:g} requests a second"),
        )
        saturation = _saturation(load, server.url, gate.spec.seed)
        watched_saturated = _run(
            saturation,
            requests,
            folder / SATURATION,
            (server.pid, generator_core),
            lambda share: report(0.6 + 0.4 * share, f"{load.saturation_clients} clients, as fast as they can"),
        )
    known = ServedSide(
        provider_asked=gate.spec.serve.provider,
        provider=server.provider,
        batch_dependent_share=model.batch_dependent_share,
    )
    judged = {
        **judge_latency(folder / LATENCY, plan, _side(known, watched, plan)),
        **judge_saturation(folder / SATURATION, saturation, _side(known, watched_saturated, saturation)),
    }
    return {
        **judged,
        "batch_dependent_share": model.batch_dependent_share,
        "void": bool(judged["latency_void"] or judged["saturation_void"]),
        "provider": server.provider,
        "server_core": server.pinned_core,
        "measured_at": utc_now(),
    }


def _run(
    plan: Plan, requests: Requests, folder: Path, pid_and_core: tuple[int, int | None], on_progress: Progress
) -> Watched:
    """Sends the load, and watches meanwhile who else uses the server's cores."""
    texts, expected, tags = requests
    server_pid, generator_core = pid_and_core
    with watching(server_pid, generator_core) as watch:
        run_plan(
            plan, texts, expected, folder, core=generator_core, on_progress=watch.following(on_progress), tags=tags
        )
    write_watched(folder, watch.watched)
    return watch.watched


def _side(known: ServedSide, watched: Watched, plan: Plan) -> ServedSide:
    return replace(known, watched=watched, check_share=plan.check_share)


def _read(gate: Gate, model: ServableModel, load: Load, result: StageResult, written: dict[str, Any]) -> Loaded:
    level = gate.level
    plan = _open_loop(load, written["plan"]["url"], gate.spec.seed, written["plan"]["limit_ms"])
    saturation = _saturation(load, written["plan"]["url"], gate.spec.seed)
    samples = read_samples(result.folder / LATENCY / files.SAMPLES)
    analysis = analyse(samples, plan, level)
    reasons, saturation_reasons = tuple(written["latency_void"]), tuple(written["saturation_void"])
    saturated = read_samples(result.folder / SATURATION / files.SAMPLES)
    rate: Estimate = throughput(saturated, saturation, level_of_parts(level))
    evidence = str((result.folder / LATENCY / files.SAMPLES).relative_to(gate.run.root))
    return Loaded(
        report=load_report(model.role, load, analysis, rate, written),
        p50_ms=_unless_void(analysis.summary.p50_ms, reasons),
        p99_ms=_unless_void(analysis.summary.p99_ms, reasons),
        throughput_rps=_unless_void(rate, saturation_reasons),
        latencies_ms=np.empty(0) if reasons else charged_latency_ms(samples[~samples["warmup"]], plan),
        evidence=evidence,
    )


def _unless_void(estimate: Estimate, reasons: tuple[str, ...]) -> Estimate:
    return NotEstimable(reason=f"void: {' '.join(reasons)}", n=0) if reasons else estimate


def latency_measurements(loaded: Sequence[Loaded]) -> tuple[Measurement, ...]:
    """p50, p99 and the saturated throughput of each model."""
    return tuple(
        Measurement(
            name=f"{each.report.role}_{name}", subpopulation=ALL_ROWS, unit=unit, value=value, evidence=each.evidence
        )
        for each in loaded
        for name, value, unit in (
            ("p50_ms", each.p50_ms, "ms"),
            ("p99_ms", each.p99_ms, "ms"),
            ("saturated_rps", each.throughput_rps, "requests/s"),
        )
    )


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


def cores(threads: int) -> tuple[int | None, int | None]:
    """A core for a one-thread server and another for the generator, where the system pins and has two."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return None, None
    return (usable[0] if threads == 1 else None), usable[-1]
