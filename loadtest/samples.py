"""The raw samples: one row a request, never binned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("intended_s", pa.float64()),
        ("sent_s", pa.float64()),
        ("done_s", pa.float64()),
        ("latency_ms", pa.float64()),
        ("service_ms", pa.float64()),
        ("status", pa.int32()),
        ("ok", pa.bool_()),
        ("label_matches", pa.bool_()),
        ("payload", pa.int32()),
        ("warmup", pa.bool_()),
    ]
)


@dataclass(slots=True)
class Sample:
    """One request as it was seen. Times are seconds from the start of the run on one monotonic clock.

    ``done_s`` is NaN only while the request is in flight; ``status`` is 0 when no readable answer came;
    ``label_matches`` is None when there was nothing to compare.
    """

    intended_s: float
    payload: int
    sent_s: float
    done_s: float = math.nan
    status: int = 0
    ok: bool = False
    label_matches: bool | None = None


def write_samples(path: Path, samples: list[Sample], warmup_s: float) -> None:
    """Write the table with its derived columns.

    ``latency_ms`` runs from the INTENDED send, so that a request which had to wait for its turn is
    charged for the wait (no coordinated omission); ``service_ms`` runs from the actual send.
    """
    rows = [
        {
            "intended_s": sample.intended_s,
            "sent_s": sample.sent_s,
            "done_s": sample.done_s,
            "latency_ms": (sample.done_s - sample.intended_s) * 1000,
            "service_ms": (sample.done_s - sample.sent_s) * 1000,
            "status": sample.status,
            "ok": sample.ok,
            "label_matches": sample.label_matches,
            "payload": sample.payload,
            "warmup": sample.intended_s < warmup_s,
        }
        for sample in sorted(samples, key=lambda sample: sample.intended_s)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)


def read_samples(path: Path) -> pd.DataFrame:
    """The table as a frame; ``label_matches`` is pandas' nullable boolean."""
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    frame["label_matches"] = frame["label_matches"].astype("boolean")
    return frame
