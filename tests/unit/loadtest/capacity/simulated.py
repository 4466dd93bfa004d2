"""Servers that exist as a queue alone, simulated by Lindley's recursion, so that the true capacity is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from loadtest.capacity.trial import Asked, Measured

FloatArray = np.ndarray
BLOCKS = 8
OVERHEAD_S = 1.5

Latencies = Callable[[FloatArray, np.random.Generator], FloatArray]
"""From arrival times [n] in seconds to latencies [n] in seconds."""


def one_server(service: Callable[[int, np.random.Generator], FloatArray]) -> Latencies:
    """First come, first served: waits are the running sum less its running minimum (Lindley 1952)."""

    def latencies(arrivals: FloatArray, rng: np.random.Generator) -> FloatArray:
        served = service(len(arrivals), rng)
        steps = np.concatenate([[0.0], served[:-1] - np.diff(arrivals)])
        walk = np.cumsum(steps)
        return walk - np.minimum.accumulate(walk) + served

    return latencies


def exponential(rate_rps: float) -> Latencies:
    """M/M/1. Its time in the system is exponential, so p99 = ln(100) / (service rate − arrival rate)."""
    return one_server(lambda n, rng: rng.exponential(1 / rate_rps, size=n))


def exponential_capacity(rate_rps: float, limit_ms: float) -> float:
    return rate_rps - math.log(100) / (limit_ms / 1000)


def batches(fixed_s: float, each_s: float, most: int) -> Latencies:
    """Serves all that wait, ``most`` at once, in ``fixed_s`` and ``each_s`` a request."""

    def latencies(arrivals: FloatArray, rng: np.random.Generator) -> FloatArray:
        done = np.empty_like(arrivals)
        first, now, n = 0, 0.0, len(arrivals)
        while first < n:
            start = max(now, arrivals[first])
            last = min(int(np.searchsorted(arrivals, start, side="right")), first + most)
            now = start + fixed_s + each_s * (last - first)
            done[first:last] = now
            first = last
        return done - arrivals

    return latencies


def noisy(latencies: Latencies, spread: float) -> Latencies:
    """Each trial's machine is faster or slower by a factor of its own: time itself is stretched."""

    def stretched(arrivals: FloatArray, rng: np.random.Generator) -> FloatArray:
        slower = math.exp(spread * rng.standard_normal())
        return latencies(arrivals / slower, rng) * slower

    return stretched


def capacity_by_simulation(latencies: Latencies, limit_ms: float, lower: float, upper: float) -> float:
    """Bisection over long runs of one seed."""
    for _ in range(14):
        middle = math.sqrt(lower * upper)
        rng = np.random.default_rng(5)
        arrivals = np.sort(rng.uniform(0, 400_000 / middle, size=400_000))
        share = np.mean(latencies(arrivals, rng)[20_000:] > limit_ms / 1000)
        lower, upper = (lower, middle) if share > 0.01 else (middle, upper)
    return math.sqrt(lower * upper)


@dataclass
class Simulated:
    """A measuring callback over a simulated server. ``ceiling_rps`` is the generator's; trials in ``void`` are void."""

    latencies: Latencies
    limit_ms: float
    seed: int = 0
    ceiling_rps: float = math.inf
    failing: float = 0.0
    void: tuple[int, ...] = ()
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Measured:
        self.asked.append(asked)
        rng = np.random.default_rng([self.seed, asked.seed])
        total_s = asked.warmup_s + asked.seconds
        arrivals = np.sort(rng.uniform(0, total_s, size=rng.poisson(asked.rate_rps * total_s)))
        latency_ms = self.latencies(arrivals, rng) * 1000
        measured, latency_ms = arrivals[arrivals >= asked.warmup_s], latency_ms[arrivals >= asked.warmup_s]
        failed = rng.random(len(measured)) < self.failing
        edges = np.linspace(asked.warmup_s, total_s, BLOCKS + 1)
        requests = np.histogram(measured, edges)[0]
        over = np.histogram(measured[(latency_ms > self.limit_ms) | failed], edges)[0]
        late = asked.rate_rps > self.ceiling_rps
        reasons = (
            ("The generator sent late.",) if late else ("Another process ran.",) if asked.number in self.void else ()
        )
        return Measured(
            blocks=tuple(zip(requests.tolist(), over.tolist(), strict=True)),
            failed=int(failed.sum()),
            p99_ms=float(np.quantile(latency_ms, 0.99)) if len(latency_ms) else None,
            wall_s=total_s + OVERHEAD_S,
            void_reasons=reasons,
            generator_late=late,
        )
