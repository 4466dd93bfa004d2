"""Whether a load measurement stands, and what the record keeps of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalkit.record.run_record import LoadReport
from evalkit.spec.gate import Load
from evalkit.stats.interval import Estimate, Interval
from loadtest import layout as files
from loadtest.analysis import LoadAnalysis
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan, SaturationPlan
from loadtest.samples import read_samples
from loadtest.summary import count_answers, summarise
from loadtest.time_series import write_time_series
from loadtest.validity import LIMITS, ServedSide, saturation_void_reasons, void_reasons


def judge_latency(folder: Path, plan: OpenLoopPlan, side: ServedSide) -> dict[str, Any]:
    """The reasons why the latency measurement in ``folder`` is void, with the evidence; writes its time series too."""
    samples, generator = read_samples(folder / files.SAMPLES), read_generator_info(folder / files.GENERATOR)
    write_time_series(samples, plan, folder)
    assert side.watched is not None
    return {
        "latency_void": list(void_reasons(summarise(samples, plan, 0.9), generator, plan.limit_ms, side)),
        "plan": asdict(plan),
        "generator": asdict(generator),
        "watched": asdict(side.watched),
    }


def judge_saturation(folder: Path, plan: SaturationPlan, side: ServedSide) -> dict[str, Any]:
    """The reasons why the saturation in ``folder`` is void, with the evidence.

    A generator that used its whole core voids it: it was itself the limit, and the model would look dearer than it is.
    """
    answers = count_answers(read_samples(folder / files.SAMPLES))
    reasons = saturation_void_reasons(answers, read_generator_info(folder / files.GENERATOR), side)
    assert side.watched is not None
    return {
        "saturation_void": list(reasons),
        "saturation_plan": asdict(plan),
        "saturation_watched": asdict(side.watched),
    }


def _allowed_beside(batch_dependent_share: float) -> dict[str, float]:
    return {"max_batch_dependent_share": batch_dependent_share} if batch_dependent_share else {}


def load_report(role: str, load: Load, analysis: LoadAnalysis, rate: Estimate, written: dict[str, Any]) -> LoadReport:
    """What the record keeps of one model's load. ``rate`` is its throughput, ``written`` what was judged."""
    summary = analysis.summary
    estimates = {
        "p50_ms": summary.p50_ms,
        "p90_ms": summary.p90_ms,
        "p95_ms": summary.p95_ms,
        "p99_ms": summary.p99_ms,
        "p999_ms": summary.p999_ms,
        "service_p50_ms": summary.service_p50_ms,
        "throughput_rps": summary.throughput_rps,
        "goodput_rps": summary.goodput_rps,
        "saturated_rps": rate,
    }
    plain = {
        "achieved_ratio": summary.achieved_ratio,
        "observed_p99_ms": summary.observed_p99_ms,
        "send_lag_p99_ms": summary.send_lag_p99_ms,
        "failed_requests": summary.answers.failed,
        "refused_requests": summary.answers.refused,
        "checked_labels": summary.answers.checked,
        "wrong_labels": summary.answers.wrong_labels,
        "generator_cpu_share": written["generator"]["cpu_share"],
        "server_cpu_share": written["watched"]["server_share"],
        "foreign_cpu_share": written["watched"]["foreign_share"],
        "clock_step_s": written["watched"]["clock_step_s"],
    }
    figures = {name: each.point for name, each in estimates.items() if isinstance(each, Interval)}
    figures |= {name: float(value) for name, value in plain.items() if value is not None}
    return LoadReport(
        role=role,
        rate_rps=load.rate_rps,
        requests=summary.answers.requests,
        figures=figures,
        void_reasons=(*written["latency_void"], *written["saturation_void"]),
        latency_void_reasons=tuple(written["latency_void"]),
        saturation_void_reasons=tuple(written["saturation_void"]),
        limits={**LIMITS, **_allowed_beside(written["batch_dependent_share"])},
        measured_at=written["measured_at"],
        pinning={
            "provider": written["provider"],
            "server_core": written["server_core"],
            "server_cores": list(written["watched"]["server_cores"]),
            "generator_core": written["generator"]["core"],
            "separated": written["watched"]["separated"],
        },
        analysis=analysis,
    )
