"""Whether the latencies of several windows of a run are those of one and the same server.

Mood's median test (Mood 1954, Annals of Mathematical Statistics 25, 514-522), at any quantile: of the windows, the
shares of requests beyond the quantile of all requests are compared. Requests of a queue come in clusters, so the
statistic Σ n_w (p_w − p)² / (p (1 − p)) is divided by the correlation time of the indicator (with each window's own
mean taken off, so that a shift does not hide itself) and compared with F on (windows − 1, 20) degrees of freedom,
because that time is itself estimated. A shift also has to matter: see ``MIN_RATIO``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from evalkit.stats.correlation_time import BATCHES, correlation_time
from evalkit.stats.interval import NotEstimable

ALPHA = 0.01  # of the quantiles together
MIN_RATIO = 1.10  # of the slowest window's quantile to the fastest one's
QUANTILES = (0.50, 0.95)
FEWEST_BEYOND = 5.0  # that one window is expected to have, for a quantile to be compared

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One quantile in each of the windows, and how likely they would differ so much by chance."""

    q: float
    window_ms: tuple[float, ...]
    p_value: float
    fired: bool

    @property
    def ratio(self) -> float:
        """The slowest window's quantile ÷ the fastest one's."""
        return max(self.window_ms) / min(self.window_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowComparison:
    """``requests`` counts those of each window. ``alpha`` and ``min_ratio`` are what a shift had to pass."""

    requests: tuple[int, ...]
    shifts: tuple[Shift, ...]
    alpha: float
    min_ratio: float

    @property
    def fired(self) -> bool:
        """Whether the windows differ at any of the quantiles."""
        return any(shift.fired for shift in self.shifts)


def compare_windows(latency_ms: FloatArray, window: IntArray, windows: int) -> WindowComparison | NotEstimable:
    """Compare the latencies, shape (n,), in time order, of ``windows`` windows; ``window`` names each one's, from 0.

    Two quantiles share the chance of a false alarm, 1 %. ``NotEstimable`` where a window has too few requests even
    for the median.
    """
    counts = np.bincount(window, minlength=windows)
    usable = [q for q in QUANTILES if counts.min() * (1 - q) >= FEWEST_BEYOND]
    if not usable:
        return NotEstimable(
            reason=f"a window of {counts.min()} requests is too small to compare",
            n=int(counts.min()),
            n_needed=int(FEWEST_BEYOND / (1 - QUANTILES[0])),
        )
    return WindowComparison(
        requests=tuple(counts.tolist()),
        shifts=tuple(_shift(latency_ms, window, windows, q) for q in usable),
        alpha=ALPHA,
        min_ratio=MIN_RATIO,
    )


def _shift(latency_ms: FloatArray, window: IntArray, windows: int, q: float) -> Shift:
    own = tuple(_quantile(latency_ms[window == each], q) for each in range(windows))
    p_value = _p_value(latency_ms > _quantile(latency_ms, q), window, windows)
    fired = p_value < ALPHA / len(QUANTILES) and max(own) > MIN_RATIO * min(own)
    return Shift(q=q, window_ms=own, p_value=p_value, fired=fired)


def _p_value(beyond: npt.NDArray[np.bool_], window: IntArray, windows: int) -> float:
    counts = np.bincount(window, minlength=windows)
    shares = np.bincount(window, beyond, minlength=windows) / counts
    share = beyond.mean()
    if share in (0.0, 1.0):
        return 1.0
    time = correlation_time(beyond - shares[window])
    statistic = float((counts * (shares - share) ** 2).sum() / (share * (1 - share) * time))
    return float(f_distribution.sf(statistic / (windows - 1), windows - 1, BATCHES))


def _quantile(values: FloatArray, q: float) -> float:
    return float(np.quantile(values, q, method="inverted_cdf"))
