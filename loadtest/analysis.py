"""Everything that the raw samples of an open-loop run say, in one value: what a record keeps of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.stats.interval import NotEstimable
from loadtest.certificate import Certificate, certify
from loadtest.drift import drift
from loadtest.plan import OpenLoopPlan
from loadtest.shift import WindowComparison
from loadtest.summary import LoadSummary, charged_latency_ms, summarise
from loadtest.tagged import TaggedLatency, tagged_latencies
from loadtest.time_series import TimeSeries, time_series
from loadtest.warm_up import WarmUpCheck, check_warm_up


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAnalysis:
    """``certificate`` is None where the plan has no limit."""

    summary: LoadSummary
    certificate: Certificate | None
    warm_up: WarmUpCheck
    drift: WindowComparison | NotEstimable
    tags: tuple[TaggedLatency, ...]
    series: TimeSeries


def analyse(samples: pd.DataFrame, plan: OpenLoopPlan, level: float) -> LoadAnalysis:
    """Analyse a run at two-sided confidence ``level``; the certificate is one-sided at (1 + level) / 2."""
    measured = samples[~samples["warmup"]]
    intended_s = measured["intended_s"].to_numpy(dtype=np.float64)
    latency_ms = charged_latency_ms(measured, plan)
    certificate = None if plan.limit_ms is None else certify(latency_ms, plan.limit_ms, (1 + level) / 2)
    return LoadAnalysis(
        summary=summarise(samples, plan, level),
        certificate=certificate,
        warm_up=check_warm_up(intended_s, latency_ms, plan.warmup_s, plan.duration_s),
        drift=drift(intended_s, latency_ms, plan.warmup_s, plan.duration_s),
        tags=tagged_latencies(samples, plan, level),
        series=time_series(samples, plan),
    )
