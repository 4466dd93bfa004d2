"""`evalkit load`: one open-loop run against a server that is already there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from evalkit.data.reading import read_table, require_columns
from evalkit.errors import DataError
from evalkit.stats.interval import Estimate, Interval
from loadtest import layout as files
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan, check_target
from loadtest.run import run_plan
from loadtest.summary import LoadSummary, summarise
from loadtest.validity import void_reasons

LEVEL = 0.95


def run_load(
    *,
    url: str,
    requests: Path,
    text_column: str,
    rate_rps: float,
    duration_s: float,
    warmup_s: float,
    limit_ms: float | None,
    output: Path,
    seed: int,
    i_own_this_target: bool,
) -> tuple[dict[str, float | str], tuple[str, ...]]:
    """Figures by name, and the reasons why they are void (none when they stand).

    Raises ValueError for a plan that cannot be run, DataError for a table without texts.
    """
    check_target(url, i_own_this_target)
    plan = OpenLoopPlan(
        url=url, rate_rps=rate_rps, duration_s=duration_s, warmup_s=warmup_s, seed=seed, limit_ms=limit_ms
    )
    table = read_table(requests, "--requests")
    require_columns(table, [text_column], "--requests")
    texts = table[text_column].dropna().astype(str).tolist()
    if not texts:
        raise DataError(f"--requests {requests} has no texts in column '{text_column}'")
    samples = pd.read_parquet(run_plan(plan, texts, None, output))
    summary = summarise(samples, plan, LEVEL)
    void = void_reasons(summary, read_generator_info(output / files.GENERATOR), limit_ms)
    return _figures(summary, output), void


def _figures(summary: LoadSummary, output: Path) -> dict[str, float | str]:
    figures: dict[str, float | str] = {
        "requests": float(summary.answers.requests),
        "failed": float(summary.answers.failed),
    }
    for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "service_p50_ms", "goodput_rps"):
        figures[name] = _shown(getattr(summary, name))
    for name in ("achieved_ratio", "send_lag_p99_ms"):
        value = getattr(summary, name)
        if value is not None:
            figures[name] = round(value, 4)
    figures["samples"] = str(output / files.SAMPLES)
    return figures


def _shown(estimate: Estimate) -> str:
    if isinstance(estimate, Interval):
        return f"{estimate.point:.3f} ({estimate.lower:.3f} to {estimate.upper:.3f} at {estimate.level:.0%})"
    return f"not estimable: {estimate.reason}"
