"""ONNX Runtime alone, with no server around it: prints its speed as JSON.

    python -m benchmarks.serving_bench.raw MODEL_FOLDER TEXTS.json SECONDS

The sessions' options and the texts are those of the servers; tokens are made and padded beforehand.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.classifier import Classifier, open_session
from benchmarks.serving_bench.servers import MAX_BATCH_ROWS


def seconds_each(session: Any, batches: Sequence[Mapping[str, np.ndarray]], seconds: float) -> list[float]:
    """Wall seconds of every run, for ``seconds`` round and round the batches, after one turn to warm up."""
    for batch in batches:
        session.run(None, batch)
    taken, turn, end = [], itertools.cycle(batches), time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        session.run(None, next(turn))
        taken.append(time.perf_counter() - started)
    return taken


def measure(folder: Path, texts: Sequence[str], seconds: float) -> dict[str, float]:
    """Median milliseconds of a batch of one, and rows a second in full batches."""
    classifier, session = Classifier(folder), open_session(folder / "model.onnx")
    taken = {}
    for rows in (1, MAX_BATCH_ROWS):
        batches = [classifier.feeds(texts[at : at + rows]) for at in range(0, len(texts) - rows + 1, rows)]
        taken[rows] = seconds_each(session, batches, seconds)
    full = taken[MAX_BATCH_ROWS]
    return {"p50_ms": 1e3 * statistics.median(taken[1]), "rows_per_s": MAX_BATCH_ROWS * len(full) / sum(full)}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), float(sys.argv[3]))))
