"""What happened when: one line a second, by the second in which requests were meant to be sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from loadtest.layout import write_atomically
from loadtest.plan import OpenLoopPlan
from loadtest.summary import charged_latency_ms, is_refused

FILE = "time_series.parquet"
MOST_POINTS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries:
    """Equal windows of ``window_s`` seconds from the start of the run, warm-up included; None where none was sent."""

    window_s: float
    requests: tuple[int, ...]
    failed: tuple[int, ...]
    refused: tuple[int, ...]
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]


def per_second(samples: pd.DataFrame, plan: OpenLoopPlan) -> pd.DataFrame:
    """One row a second of the run, warm-up included: requests, failed, refused, p50_ms and p99_ms (null if none)."""
    return _windows(samples, plan, 1.0)


def time_series(samples: pd.DataFrame, plan: OpenLoopPlan) -> TimeSeries:
    """At most 120 windows of whole seconds, for a record and its chart."""
    window_s = max(1.0, float(math.ceil((plan.warmup_s + plan.duration_s) / MOST_POINTS)))
    table = _windows(samples, plan, window_s)
    return TimeSeries(
        window_s=window_s,
        requests=_counts(table["requests"]),
        failed=_counts(table["failed"]),
        refused=_counts(table["refused"]),
        p50_ms=_latencies(table["p50_ms"]),
        p99_ms=_latencies(table["p99_ms"]),
    )


def write_time_series(samples: pd.DataFrame, plan: OpenLoopPlan, folder: Path) -> Path:
    """Write the table of seconds beside the samples and return its path."""
    table = per_second(samples, plan)
    write_atomically(folder / FILE, lambda path: table.to_parquet(path, index=False))
    return folder / FILE


def _counts(column: pd.Series[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in column)


def _latencies(column: pd.Series[float]) -> tuple[float | None, ...]:
    return tuple(None if pd.isna(value) else float(value) for value in column)


def _windows(samples: pd.DataFrame, plan: OpenLoopPlan, window_s: float) -> pd.DataFrame:
    windows = math.ceil((plan.warmup_s + plan.duration_s) / window_s)
    frame = pd.DataFrame(
        {
            "window": np.minimum(np.floor(samples["intended_s"] / window_s), windows - 1).astype(np.int64),
            "failed": ~samples["ok"].to_numpy(dtype=np.bool_),
            "refused": is_refused(samples),
            "latency_ms": charged_latency_ms(samples, plan),
        }
    )
    groups = frame.groupby("window")
    latency = groups["latency_ms"]
    table = pd.DataFrame(
        {
            "requests": groups.size(),
            "failed": groups["failed"].sum(),
            "refused": groups["refused"].sum(),
            "p50_ms": latency.quantile(0.50, interpolation="higher"),
            "p99_ms": latency.quantile(0.99, interpolation="higher"),
        }
    ).reindex(range(windows))
    table[["requests", "failed", "refused"]] = table[["requests", "failed", "refused"]].fillna(0).astype(np.int64)
    table.insert(0, "second", np.arange(windows) * window_s)
    return table.reset_index(drop=True)
