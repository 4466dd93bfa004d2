"""The warm-up is cut by a fixed rule, and it is checked whether that was enough.

The rule: requests intended in the plan's first ``warmup_s`` do not count. The check: the first tenth of the measured
time against the rest (see ``shift``). Where they differ, MSER-5 says how much more should have been cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.stats.interval import NotEstimable
from loadtest.shift import FloatArray, WindowComparison, compare_windows

FIRST_SHARE = 0.1
MSER_BATCH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpCheck:
    """Whether requests were still unlike the later ones after the warm-up.

    ``first_s`` is the length of the first window. ``cut_more_s`` is what MSER-5 would cut beyond the warm-up where
    the windows differ; None where they do not, or where it finds no steady part in the first half.
    """

    warmup_s: float
    first_s: float
    comparison: WindowComparison | NotEstimable
    cut_more_s: float | None

    @property
    def fired(self) -> bool:
        """Whether the warm-up was too short."""
        return isinstance(self.comparison, WindowComparison) and self.comparison.fired


def check_warm_up(intended_s: FloatArray, latency_ms: FloatArray, warmup_s: float, duration_s: float) -> WarmUpCheck:
    """Check the measured requests, shapes (n,), in time order; times are seconds from the start of the run."""
    first_s = FIRST_SHARE * duration_s
    comparison = compare_windows(latency_ms, (intended_s - warmup_s >= first_s).astype(np.int64), 2)
    fired = isinstance(comparison, WindowComparison) and comparison.fired
    cut = mser5(latency_ms) if fired else None
    return WarmUpCheck(
        warmup_s=warmup_s,
        first_s=first_s,
        comparison=comparison,
        cut_more_s=None if cut is None else float(intended_s[cut] - warmup_s),
    )


def mser5(values: FloatArray) -> int | None:
    """How many of the first ``values``, shape (n,), MSER-5 leaves out.

    White, Cobb and Spratt (2000), "A comparison of five steady-state truncation heuristics for simulation", Winter
    Simulation Conference, 755-760: of means of 5 values, so many are cut that the squared standard error of the
    mean of the rest is smallest. None where that is not within the first half: then the run has no steady part.

    >>> mser5(np.array([50.0] * 20 + [10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 10.2] * 40))
    20
    """
    means = values[: values.size // MSER_BATCH * MSER_BATCH].reshape(-1, MSER_BATCH).mean(axis=1)
    if means.size < 2 * MSER_BATCH:
        return None
    left = np.arange(means.size, 0, -1)
    total, squares = (np.cumsum(each[::-1])[::-1] for each in (means, means**2))
    error = ((squares - total**2 / left) / left**2)[: means.size - MSER_BATCH]
    cut = int(np.argmin(error))
    return cut * MSER_BATCH if cut <= means.size // 2 else None
