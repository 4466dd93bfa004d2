"""The raw samples: one row a request, never binned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from loadtest.failures import Failure
from loadtest.recorder import COLUMNS, UNKNOWN, Columns

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
        ("number", pa.int32()),
        ("worker", pa.int32()),
        ("failure", pa.dictionary(pa.int8(), pa.string())),
        ("retried", pa.bool_()),
        ("answer_bytes", pa.int32()),
        ("first_token_ms", pa.float64()),
        ("tokens", pa.int32()),
    ]
)
TAG = "tag_"
TEXT_LENGTH = "text_length"
ROW_GROUP = 100_000
_FAILURES = pa.array([failure.name.lower() for failure in Failure])


def write_records(path: Path, records: Sequence[Columns], warmup_s: float, tags: pd.DataFrame | None = None) -> int:
    """Merge the generators' records into one table, in the order of the schedule; returns its rows.

    ``latency_ms`` and ``first_token_ms`` run from the INTENDED send, so that a request which had to wait
    for its turn is charged for the wait (no coordinated omission); ``service_ms`` runs from the actual
    send. ``tags`` has one row a payload; its columns are added to each request that carried it.
    """
    workers = np.concatenate([np.full(len(each["number"]), number) for number, each in enumerate(records)])
    merged = {name: np.concatenate([record[name] for record in records]) for name, _ in COLUMNS}
    order = np.lexsort((merged["number"], merged["intended_s"]))
    merged = {name: column[order] for name, column in merged.items()}
    table = _table(merged, workers[order], warmup_s)
    if tags is not None:
        for name in tags.columns:
            table = table.append_column(name, pa.array(tags[name].iloc[merged["payload"].astype(np.int64)]))
    pq.write_table(table, path, row_group_size=ROW_GROUP)
    return int(table.num_rows)


def read_samples(path: Path) -> pd.DataFrame:
    """The table as a frame; ``label_matches`` is pandas' nullable boolean."""
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    frame["label_matches"] = frame["label_matches"].astype("boolean")
    return frame


def tag_columns(texts: Sequence[str], tags: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """One row a payload: ``tag_NAME`` for each tag, as text, and the text's length in characters."""
    columns: dict[str, Any] = {
        TAG + name: pd.Categorical([None if pd.isna(value) else str(value) for value in values])
        for name, values in tags.items()
    }
    return pd.DataFrame({**columns, TEXT_LENGTH: np.array([len(text) for text in texts], dtype=np.int32)})


def _table(columns: Columns, workers: npt.NDArray[np.int64], warmup_s: float) -> pa.Table:
    intended, done = columns["intended_s"], columns["done_s"]
    failed = columns["failure"] != Failure.NONE
    matches, tokens = columns["label_matches"], columns["tokens"]
    failure = pa.DictionaryArray.from_arrays(pa.array(columns["failure"], mask=~failed), _FAILURES)
    arrays = {
        "intended_s": intended,
        "sent_s": columns["sent_s"],
        "done_s": done,
        "latency_ms": (done - intended) * 1000,
        "service_ms": (done - columns["sent_s"]) * 1000,
        "status": columns["status"].astype(np.int32),
        "ok": ~failed,
        "label_matches": pa.array(matches == 1, mask=matches == UNKNOWN),
        "payload": columns["payload"],
        "warmup": intended < warmup_s,
        "number": columns["number"],
        "worker": workers.astype(np.int32),
        "failure": failure,
        "retried": columns["retried"] != 0,
        "answer_bytes": columns["answer_bytes"],
        "first_token_ms": pa.array(
            (columns["first_token_s"] - intended) * 1000, mask=np.isnan(columns["first_token_s"])
        ),
        "tokens": pa.array(tokens, mask=tokens == UNKNOWN),
    }
    return pa.table([pa.array(arrays[name]) for name in SCHEMA.names], schema=SCHEMA)
