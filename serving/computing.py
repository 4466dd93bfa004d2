"""Computes a batch in the worker thread, so that every request of it gets an answer of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serving.errors import InferenceError
from serving.parts import Part, Row


def outcomes(run: Callable[[list[Row]], np.ndarray], batch: list[Part[Row]]) -> list[np.ndarray | Exception]:
    """Compute a batch; if it fails, each part alone, so that only the bad one fails."""
    try:
        answer = _answered(run, [row for part in batch for row in part.rows])
    except Exception as error:  # noqa: BLE001 - `run` is anyone's, and every request must get an answer
        if len(batch) == 1:
            return [error]
        return [outcome for part in batch for outcome in outcomes(run, [part])]
    ends = np.cumsum([len(part.rows) for part in batch])
    return list(np.split(answer, ends[:-1]))


def _answered(run: Callable[[list[Row]], np.ndarray], rows: list[Row]) -> np.ndarray:
    answer = run(rows)
    if len(answer) != len(rows):
        raise InferenceError(f"the model gave {len(answer)} answers for {len(rows)} rows; check its export")
    return answer
