"""Whether the server changed while it was measured: the three thirds of a run beside each other."""

from __future__ import annotations

import numpy as np

from evalkit.stats.interval import NotEstimable
from loadtest.shift import FloatArray, WindowComparison, compare_windows

WINDOWS = 3


def drift(
    intended_s: FloatArray, latency_ms: FloatArray, warmup_s: float, duration_s: float
) -> WindowComparison | NotEstimable:
    """Compare the thirds of the measured time at p50 and p95 (see ``shift``); arguments as of the warm-up check."""
    third = ((intended_s - warmup_s) * WINDOWS / duration_s).astype(np.int64)
    return compare_windows(latency_ms, np.clip(third, 0, WINDOWS - 1), WINDOWS)
