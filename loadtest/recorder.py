"""The raw record of one generator: fixed columns in a memory-mapped file, written while the run is on.

The file has a row for each request that may be sent, so that recording never allocates or blocks, memory
is bounded, and a generator that is killed leaves what it has measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.failures import Failure
from loadtest.schedule import Schedule

# Times are seconds from the start of the run; NaN is "not yet". Widest first: every column is aligned.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("intended_s", "f8"),
    ("sent_s", "f8"),
    ("done_s", "f8"),
    ("first_token_s", "f8"),
    ("number", "i4"),
    ("payload", "i4"),
    ("tokens", "i4"),
    ("answer_bytes", "i4"),
    ("status", "i2"),
    ("failure", "i1"),
    ("label_matches", "i1"),
    ("retried", "i1"),
)
ROW_BYTES = sum(np.dtype(kind).itemsize for _, kind in COLUMNS)
UNKNOWN = -1  # of label_matches and tokens

Columns = dict[str, npt.NDArray[Any]]


class Recorder:
    """Memory views of the columns: an item is set in some 50 ns, where numpy's own indexing takes twice that."""

    def __init__(self, path: Path, capacity: int) -> None:
        self.columns = _map(path, capacity, "w+")
        self.capacity = capacity
        for name in ("intended_s", "sent_s", "done_s", "first_token_s"):
            self.columns[name][:] = np.nan
        for name in ("label_matches", "tokens"):
            self.columns[name][:] = UNKNOWN
        self.columns["failure"][:] = Failure.CUT  # until something better is known
        self.intended_s = _view(self.columns["intended_s"])
        self.sent_s = _view(self.columns["sent_s"])
        self.done_s = _view(self.columns["done_s"])
        self.first_token_s = _view(self.columns["first_token_s"])
        self.number = _view(self.columns["number"])
        self.payload = _view(self.columns["payload"])
        self.tokens = _view(self.columns["tokens"])
        self.answer_bytes = _view(self.columns["answer_bytes"])
        self.status = _view(self.columns["status"])
        self.failure = _view(self.columns["failure"])
        self.label_matches = _view(self.columns["label_matches"])
        self.retried = _view(self.columns["retried"])

    def plan(self, schedule: Schedule) -> None:
        """Fill in what is known before the run."""
        self.columns["number"][:] = schedule.number
        self.columns["intended_s"][:] = schedule.intended_s
        self.columns["payload"][:] = schedule.payload


def read_record(path: Path) -> Columns:
    """The columns of the requests that were sent, shape (sent,) each, in the order of the record."""
    capacity = path.stat().st_size // ROW_BYTES
    if not capacity:
        return {name: np.empty(0, dtype=kind) for name, kind in COLUMNS}
    columns = _map(path, capacity, "r")
    was_sent = ~np.isnan(columns["sent_s"])
    found = {name: np.array(column[was_sent]) for name, column in columns.items()}
    if (lost := np.isnan(found["done_s"])).any():  # the generator was killed: they took at least until its end
        found["done_s"][lost] = max(found["sent_s"].max(), np.max(found["done_s"], where=~lost, initial=-np.inf))
    return found


def _view(column: npt.NDArray[Any]) -> Any:
    return column.data


def _map(path: Path, capacity: int, mode: str) -> Columns:
    if capacity == 0:
        path.write_bytes(b"")
        return {name: np.empty(0, dtype=kind) for name, kind in COLUMNS}
    whole = np.memmap(path, dtype=np.uint8, mode=mode, shape=(capacity * ROW_BYTES,))  # type: ignore[call-overload]
    columns, start = {}, 0
    for name, kind in COLUMNS:
        size = capacity * np.dtype(kind).itemsize
        columns[name] = np.asarray(whole[start : start + size]).view(kind)
        start += size
    return columns
