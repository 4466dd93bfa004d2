"""A recorded trace: when real requests came, and which payload each of them carried."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from loadtest.errors import InputError
from loadtest.tables import read_columns

TIME, PAYLOAD = "time_s", "payload"
MAX_SPEED = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePlan:
    """Which file is replayed, as it was when the plan was made, and how many times faster."""

    path: str
    sha256: str
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.speed <= MAX_SPEED:
            raise ValueError(f"the trace's speed is {self.speed:g}; give a number above 0, at most {MAX_SPEED:g}")


@dataclass(frozen=True, slots=True)
class Trace:
    """Send times in seconds from the first, shape (n,), ascending; the payload of each, or None."""

    times_s: npt.NDArray[np.float64]
    payloads: npt.NDArray[np.int64] | None


def trace_plan(path: Path, speed: float = 1.0) -> TracePlan:
    """The plan to replay ``path``, with the file's digest. Raises InputError where it cannot be read."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"trace {path} cannot be read ({error.strerror}); give a CSV, Parquet or JSONL file") from None
    return TracePlan(path=str(path.resolve()), sha256=digest, speed=speed)


def read_trace(plan: TracePlan) -> Trace:
    """Read a trace: column ``time_s`` (seconds, or a date and time), and ``payload`` if it names row numbers.

    Row numbers count the rows of the requests from 0. The first request leaves at the start of the run.

    Raises:
        InputError: when the file has changed, is empty or unsorted, or holds what is no time or no row number.
    """
    path = Path(plan.path)
    if trace_plan(path).sha256 != plan.sha256:
        raise InputError(f"trace {path} is not the file that was planned with; plan again, or put the file back")
    rows = read_columns(path, "trace")
    if TIME not in rows.columns:
        raise InputError(f"trace {path} has no column '{TIME}'; it has {', '.join(map(str, rows.columns))}")
    if rows.empty:
        raise InputError(f"trace {path} is empty; give at least one send time")
    times = _seconds(rows[TIME], path)
    if (late := np.flatnonzero(np.diff(times) < 0)).size:
        row = int(late[0]) + 1
        raise InputError(
            f"trace {path} is not sorted: row {row} is at {times[row]:g} s, after {times[row - 1]:g} s; sort it by time"
        )
    payloads = _row_numbers(rows[PAYLOAD], path) if PAYLOAD in rows.columns else None
    return Trace((times - times[0]) / plan.speed, payloads)


def _seconds(column: pd.Series[float], path: Path) -> npt.NDArray[np.float64]:
    values = pd.to_numeric(column, errors="coerce")
    if pd.api.types.is_datetime64_any_dtype(column) or values.isna().all():
        moments = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        values = (moments - moments.min()) / pd.Timedelta(seconds=1)
    times = np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
    if (bad := np.flatnonzero(~np.isfinite(times))).size:
        row = int(bad[0])
        raise InputError(
            f"trace {path}, row {row}: '{column.iloc[row]}' is no time; give seconds, or ISO dates throughout"
        )
    return times.astype(np.float64)


def _row_numbers(column: pd.Series[int], path: Path) -> npt.NDArray[np.int64]:
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    if (bad := np.flatnonzero(~(numbers >= 0) | (numbers % 1 != 0))).size:
        row = int(bad[0])
        raise InputError(
            f"trace {path}, row {row}: payload '{column.iloc[row]}' is no row number; give 0 for the first request"
        )
    return np.asarray(numbers, dtype=np.int64)
