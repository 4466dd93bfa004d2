"""Samples that were made one by one, written as those of a run are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest.failures import Failure
from loadtest.recorder import COLUMNS, UNKNOWN, Columns
from loadtest.samples import write_records


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
    """Write samples that were made one by one."""
    rows = sorted(samples, key=lambda sample: sample.intended_s)
    columns: Columns = {name: np.zeros(len(rows), dtype=kind) for name, kind in COLUMNS}
    for name in ("intended_s", "sent_s", "done_s", "status", "payload"):
        columns[name][:] = [getattr(sample, name) for sample in rows]
    columns["first_token_s"][:], columns["tokens"][:] = np.nan, UNKNOWN
    columns["number"][:] = np.arange(len(rows))
    columns["failure"][:] = [Failure.NONE if sample.ok else Failure.STATUS for sample in rows]
    columns["label_matches"][:] = [UNKNOWN if row.label_matches is None else row.label_matches for row in rows]
    write_records(path, [columns], warmup_s)
