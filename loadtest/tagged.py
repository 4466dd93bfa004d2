"""Latency per subpopulation and per text length: the tags of the requests, each value summarised for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from evalkit.stats.interval import Estimate
from evalkit.stats.serial_quantiles import serial_quantile
from loadtest.plan import OpenLoopPlan
from loadtest.samples import TAG, TEXT_LENGTH
from loadtest.summary import charged_latency_ms

MOST_VALUES = 50
QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedLatency:
    """The requests that carried one value of a tag, warm-up left out; failed ones are charged the time-out."""

    tag: str
    value: str
    requests: int
    failed: int
    p50_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate


def tagged_latencies(samples: pd.DataFrame, plan: OpenLoopPlan, level: float) -> tuple[TaggedLatency, ...]:
    """Of each tag its most frequent values (at most 50), and the quarters of text length, at confidence ``level``."""
    measured = samples[~samples["warmup"]]
    return tuple(
        _summarised(tag, str(value), measured[mask.to_numpy(dtype=np.bool_)], plan, level)
        for tag, values in _tags(measured)
        for value in _most_frequent(values)
        for mask in (values == value,)
    )


def _tags(measured: pd.DataFrame) -> Iterator[tuple[str, pd.Series[str]]]:
    for name in measured.columns:
        if name.startswith(TAG):
            yield name.removeprefix(TAG), measured[name].astype("object")
    if TEXT_LENGTH in measured.columns and len(measured):
        yield TEXT_LENGTH, _quarters(measured[TEXT_LENGTH])


def _quarters(length: pd.Series[int]) -> pd.Series[str]:
    """Each length as the quarter it lies in, named by its ends; fewer where many texts are of one length."""
    edges = np.unique(np.quantile(length, np.linspace(0, 1, QUARTERS + 1), method="inverted_cdf"))
    at = np.clip(np.searchsorted(edges, length, side="left"), 1, max(1, edges.size - 1))
    names = [
        f"{int(low) + (1 if at > 0 else 0)} to {int(high)} characters" for at, (low, high) in enumerate(pairwise(edges))
    ] or [f"{int(edges[0])} characters"]
    return pd.Series([names[each - 1] for each in at], index=length.index, dtype="object")


def _most_frequent(values: pd.Series[str]) -> list[str]:
    counts = values.value_counts()
    return sorted(counts.index[:MOST_VALUES], key=lambda value: (-counts[value], str(value)))


def _summarised(tag: str, value: str, part: pd.DataFrame, plan: OpenLoopPlan, level: float) -> TaggedLatency:
    latency_ms = charged_latency_ms(part, plan)
    return TaggedLatency(
        tag=tag,
        value=value,
        requests=len(part),
        failed=int((~part["ok"].to_numpy(dtype=np.bool_)).sum()),
        p50_ms=serial_quantile(latency_ms, 0.50, level),
        p95_ms=serial_quantile(latency_ms, 0.95, level),
        p99_ms=serial_quantile(latency_ms, 0.99, level),
    )
