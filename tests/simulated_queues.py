"""Latencies of one server with one queue, in the order of arrival; the mean service time is 1 ms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WARM_UP = 2000
EXPONENTIAL, UNEVEN = "exponential", "uneven"


def latencies_ms(n: int, load: float, rng: np.random.Generator, service: str = EXPONENTIAL) -> NDArray[np.float64]:
    """M/M/1, or M/G/1 with gamma service times of a squared coefficient of variation of 4, by Lindley's recursion."""
    total = n + WARM_UP
    served = rng.exponential(1.0, total) if service == EXPONENTIAL else rng.gamma(0.25, 4.0, total)
    gaps = rng.exponential(1 / load, total)
    walk = np.cumsum(np.concatenate([[0.0], served[:-1] - gaps[1:]]))
    return (walk - np.minimum.accumulate(walk) + served)[WARM_UP:]


def p99_ms(load: float, rng: np.random.Generator, service: str = EXPONENTIAL) -> float:
    """The true p99. The sojourn time of M/M/1 is exponential with rate 1 − load; M/G/1 is simulated at length."""
    if service == EXPONENTIAL:
        return float(-np.log(0.01) / (1 - load))
    return float(np.quantile(latencies_ms(6_000_000, load, rng, service), 0.99))
