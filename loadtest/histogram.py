"""An HDR histogram beside the raw samples of a long run: small enough to keep for years, and other tools read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from loadtest import layout
from loadtest.plan import Plan

LONG_S = 3600.0  # beyond it the histogram is written; the raw samples are kept for every run
DIGITS = 3
MAX_US = 3_600_000_000


def write_histogram_of_long_run(folder: Path, plan: Plan) -> None:
    """Write ``latency.hdr`` where the run is longer than an hour."""
    if plan.duration_s > LONG_S:
        layout.write_atomically(
            folder / layout.HISTOGRAM, lambda path: write_histogram(folder / layout.SAMPLES, path, plan.timeout_s)
        )


def write_histogram(samples: Path, path: Path, timeout_s: float) -> None:
    """Latencies from the intended send in microseconds, to 3 digits, in HdrHistogram's own encoding (V2, base64).

    Failed requests count with the time-out, or their own latency if that is longer; the warm-up does not
    count. A run's histograms can be added up. Samples are read a row group at a time.
    """
    from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped, unused-ignore]

    histogram = HdrHistogram(1, MAX_US, DIGITS)
    file = pq.ParquetFile(samples)
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=["latency_ms", "ok", "warmup"]).to_pandas()
        rows = rows[~rows["warmup"]]
        charged_ms = np.where(rows["ok"], rows["latency_ms"], np.maximum(rows["latency_ms"], timeout_s * 1000))
        values, counts = np.unique(np.clip(np.rint(charged_ms * 1000), 1, MAX_US).astype(np.int64), return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            histogram.record_value(value, count)
    path.write_bytes(histogram.encode())
