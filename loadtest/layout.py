"""The files of one load test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

PLAN = "plan.json"
PAYLOADS = "payloads.jsonl"
SAMPLES = "samples.parquet"
GENERATOR = "generator.json"
SUMMARY = "summary.json"
HISTOGRAM = "latency.hdr"
# of each generator, in a folder of its own
SCHEDULE = "schedule.npz"
RECORD = "record.raw"
LOG = "generator.log"


def worker_folder(folder: Path, worker: int) -> Path:
    """Where one of the generators keeps its own files."""
    return folder / f"worker-{worker}"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then rename it: readers see all of it or nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
