"""From raw samples to estimates: latency from the intended send, throughput, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.means import mean_interval
from evalkit.stats.serial_proportions import serial_proportion
from evalkit.stats.serial_quantiles import serial_quantile
from loadtest.plan import OpenLoopPlan, Plan, SaturationPlan
from loadtest.schedule import intended_times

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

IN_TIME_MS = 100.0  # a request that leaves later than this was not load at the planned rate
MIN_WINDOWS = 8  # of a run shorter than this many seconds, so many equal windows
WINDOW_S = 1.0
REFUSALS = (429, 503)  # a server that says it is full


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCounts:
    """Requests after the warm-up, by what came back.

    ``failed`` had no answer, another status than 200, or a body that is no prediction; ``refused`` are
    those of them with status 429 or 503. Of the ``checked`` answers, ``wrong_labels`` named another label
    than the model gives offline.
    """

    requests: int
    failed: int
    refused: int
    checked: int
    wrong_labels: int

    @property
    def failure_rate(self) -> float | None:
        """Failed ÷ requests; None without requests."""
        return self.failed / self.requests if self.requests else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """One open-loop run, warm-up left out.

    The latency quantiles run from the intended send and are over ALL requests: a failed one counts with
    the time-out as its latency (or its own, if longer), so that failing fast never looks good.
    ``service_p50_ms`` runs from the actual send. Requests of a queue depend on each other, so all these
    intervals and those of shares are at the effective sample size. ``achieved_ratio`` is requests sent at
    most 100 ms late ÷ requests scheduled. ``throughput_rps`` counts successful answers by the second in
    which they came, ``goodput_rps`` those that are also rightly labelled and within the limit, if there is
    one; ``goodput_share`` is their share of all requests. ``error_rate`` leaves out refusals, which are
    ``refusal_rate``. ``observed_p99_ms`` is the sample's own p99, which is there even where too few
    requests tell how sure it is. None where there was nothing to compute from.
    """

    answers: AnswerCounts
    scheduled: int
    achieved_ratio: float | None
    p50_ms: Estimate
    p90_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    p999_ms: Estimate
    service_p50_ms: Estimate
    throughput_rps: Estimate
    goodput_rps: Estimate
    goodput_share: Estimate
    error_rate: Estimate
    refusal_rate: Estimate
    observed_p99_ms: float | None
    send_lag_p99_ms: float | None


def summarise(samples: pd.DataFrame, plan: OpenLoopPlan, level: float) -> LoadSummary:
    """Summarise an open-loop run at confidence ``level``; every quantile comes from the raw values."""
    measured = samples[~samples["warmup"]]
    latency_ms = charged_latency_ms(measured, plan)
    lag_ms = (_floats(measured, "sent_s") - _floats(measured, "intended_s")) * 1000
    scheduled = int((intended_times(plan) >= plan.warmup_s).sum())
    failed, refused = ~_flags(measured["ok"]), is_refused(measured)
    return LoadSummary(
        answers=count_answers(samples),
        scheduled=scheduled,
        achieved_ratio=int((lag_ms <= IN_TIME_MS).sum()) / scheduled if scheduled else None,
        p50_ms=serial_quantile(latency_ms, 0.50, level),
        p90_ms=serial_quantile(latency_ms, 0.90, level),
        p95_ms=serial_quantile(latency_ms, 0.95, level),
        p99_ms=serial_quantile(latency_ms, 0.99, level),
        p999_ms=serial_quantile(latency_ms, 0.999, level),
        service_p50_ms=serial_quantile(_floats(measured, "service_ms"), 0.50, level),
        throughput_rps=_rate_rps(_floats(samples, "done_s")[_flags(samples["ok"])], plan, level),
        goodput_rps=_rate_rps(_floats(samples, "done_s")[_is_good(samples, plan)], plan, level),
        goodput_share=serial_proportion(_is_good(measured, plan), level),
        error_rate=serial_proportion(failed & ~refused, level),
        refusal_rate=serial_proportion(refused, level),
        observed_p99_ms=_p99(latency_ms),
        send_lag_p99_ms=_p99(lag_ms),
    )


def throughput(samples: pd.DataFrame, plan: SaturationPlan, level: float) -> Estimate:
    """Successful answers per second under saturation.

    Each whole second after the warm-up is one observation of a Student t interval; a run shorter than
    8 s is cut into 8 equal windows.
    """
    return _rate_rps(_floats(samples, "done_s")[_flags(samples["ok"])], plan, level)


def count_answers(samples: pd.DataFrame) -> AnswerCounts:
    """Count the requests after the warm-up by what came back."""
    measured = samples[~samples["warmup"]]
    matches = measured["label_matches"].astype("boolean")
    return AnswerCounts(
        requests=len(measured),
        failed=int((~_flags(measured["ok"])).sum()),
        refused=int(is_refused(measured).sum()),
        checked=int(matches.notna().sum()),
        wrong_labels=int((~_flags(matches.fillna(True))).sum()),
    )


def is_refused(samples: pd.DataFrame) -> BoolArray:
    """Of each request whether the server said that it is full."""
    return np.asarray(samples["status"].isin(REFUSALS), dtype=np.bool_)


def charged_latency_ms(samples: pd.DataFrame, plan: OpenLoopPlan) -> FloatArray:
    """Latency from the intended send in milliseconds, where a failed request is charged the time-out."""
    latency_ms = _floats(samples, "latency_ms")
    return np.where(_flags(samples["ok"]), latency_ms, np.maximum(latency_ms, plan.timeout_s * 1000))


def _is_good(samples: pd.DataFrame, plan: OpenLoopPlan) -> BoolArray:
    right = _flags(samples["label_matches"].astype("boolean").fillna(True))
    limit_ms = plan.limit_ms if plan.limit_ms is not None else np.inf
    return _flags(samples["ok"]) & right & (_floats(samples, "latency_ms") <= limit_ms)


def _rate_rps(done_s: FloatArray, plan: Plan, level: float) -> Estimate:
    """Answers per second by the window in which they arrived."""
    edges_s = _window_edges_s(plan)
    counts, _ = np.histogram(done_s, bins=edges_s)
    if not counts.any():
        return NotEstimable(reason="no good answer arrived after the warm-up", n=0)
    return mean_interval(counts / np.diff(edges_s), level)


def _window_edges_s(plan: Plan) -> FloatArray:
    if plan.duration_s < MIN_WINDOWS * WINDOW_S:
        offsets_s = np.linspace(0.0, plan.duration_s, MIN_WINDOWS + 1, dtype=np.float64)
    else:
        offsets_s = np.arange(int(plan.duration_s // WINDOW_S) + 1, dtype=np.float64) * WINDOW_S
    return offsets_s + plan.warmup_s


def _p99(values: FloatArray) -> float | None:
    return float(np.quantile(values, 0.99, method="inverted_cdf")) if values.size else None


def _floats(samples: pd.DataFrame, column: str) -> FloatArray:
    return np.asarray(samples[column], dtype=np.float64)


def _flags(column: pd.Series[bool]) -> BoolArray:
    return np.asarray(column, dtype=np.bool_)
