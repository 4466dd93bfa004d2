"""When each request should leave and what it carries: everything random about a run, from its seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from loadtest.plan import Arrivals, OpenLoopPlan

# Independent streams of one seed, so that more arrivals never change which payloads are drawn.
_ARRIVALS_STREAM = 0
_PAYLOADS_STREAM = 1
_PAYLOAD_BLOCK = 4096


def intended_times(plan: OpenLoopPlan) -> npt.NDArray[np.float64]:
    """Intended send times in seconds from the start of the run, ascending, below ``warmup_s + duration_s``.

    Poisson arrivals have exponential gaps of mean ``1 / rate_rps``; constant ones are equally spaced
    and start at 0. The same plan always gives the same times.
    """
    total_s = plan.warmup_s + plan.duration_s
    match plan.arrivals:
        case Arrivals.POISSON:
            return _poisson_times(plan.rate_rps, total_s, _rng(plan.seed, _ARRIVALS_STREAM))
        case Arrivals.CONSTANT:
            times = np.arange(int(np.ceil(plan.rate_rps * total_s))) / plan.rate_rps
            return times[times < total_s]


def payload_order(seed: int, payload_count: int) -> Iterator[int]:
    """Which payload the 1st, 2nd, ... request carries: drawn uniformly with replacement, without end."""
    rng = _rng(seed, _PAYLOADS_STREAM)
    while True:
        yield from rng.integers(payload_count, size=_PAYLOAD_BLOCK).tolist()


def _poisson_times(rate_rps: float, total_s: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Given their number, the points of a Poisson process are uniform on the interval, in order."""
    count = rng.poisson(rate_rps * total_s)
    return np.sort(rng.uniform(0.0, total_s, size=count))


def _rng(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream])
