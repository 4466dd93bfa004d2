"""How long an API took for each answer, where it was recorded beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.data.reading import read_table
from evalkit.errors import DataError

LATENCY = "latency_ms"


def recorded_latencies(path: Path, name: str) -> NDArray[np.float64] | None:
    """Column ``latency_ms`` of a table of recorded predictions, shape (n,), in its order; None without that column.

    Raises DataError for a value that is no positive number: a call that failed has no latency, and leaving out its
    row would flatter the API. Record its time-out.
    """
    table = read_table(path, f"{name}.recorded")
    if LATENCY not in table.columns:
        return None
    try:
        values = table[LATENCY].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}.recorded: a {LATENCY} is not a number ({error}); give milliseconds") from error
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{name}.recorded column '{LATENCY}' is {values[row]} in row {row}; give each answer's milliseconds, the "
            "time-out where there was none"
        )
    return values
