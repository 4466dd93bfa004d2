"""What a search for the capacity is allowed to do, and how long its trials are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalkit.stats.quantiles import requests_needed
from loadtest.plan import MAX_RATE_RPS, MAX_TIMEOUT_S

QUANTILE = 0.99
ALLOWED_SHARE = 1 - QUANTILE
"""Of the requests, this share may exceed the limit while p99 still keeps it."""
SHORT_S, LONG_S = (2.0, 30.0), (10.0, 60.0)
LONG_OVER_SHORT = 4.0
PARTS_SHORT, PARTS_LONG = 20, 12
"""No trial takes more of the time allowed than one of so many parts, so that enough of them fit in."""
RELAXATIONS_SHORT, RELAXATIONS_LONG, RELAXATIONS_WARMUP = 3.0, 20.0, 2.0
MAX_WARMUP_S = 5.0
MAX_MINUTES = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """The objective, and the bounds of the search for the highest rate that keeps it.

    ``confidence`` is the one-sided confidence of the certificate "p99 ≤ ``limit_ms``"; ``level`` the two-sided level
    of the capacity's interval. The search ends when that interval is at most ``precision`` of the capacity wide to
    either side, or when the next trial would not end within ``max_minutes``.

    Raises ValueError naming the field, its value and the rule.
    """

    limit_ms: float
    confidence: float = 0.95
    level: float = 0.90
    start_rps: float = 50.0
    max_rps: float = MAX_RATE_RPS
    max_minutes: float = 5.0
    warmup_s: float = 1.0
    precision: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        _check("limit_ms", self.limit_ms, 0.0, MAX_TIMEOUT_S * 1000)
        _check("confidence", self.confidence, 0.0, 1.0, below=True)
        _check("level", self.level, 0.0, 1.0, below=True)
        _check("max_rps", self.max_rps, 0.0, MAX_RATE_RPS)
        _check("start_rps", self.start_rps, 0.0, self.max_rps)
        _check("max_minutes", self.max_minutes, 0.0, MAX_MINUTES)
        _check("precision", self.precision, 0.0, 1.0)
        if not 0 <= self.warmup_s <= 60:
            raise ValueError(f"warmup_s is {self.warmup_s:g}; give a number from 0 to 60")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give a number of at least 0")

    def relaxation_s(self, rate_rps: float) -> float:
        """How long a queue remembers, if this rate is its capacity.

        Of M/M/1 it is about 4 λ / (μ − λ)² (Morse 1955; Abate and Whitt 1987), and p99 is at the limit where
        μ − λ = ln(100) / limit. Servers with steadier service times forget sooner.
        """
        return 4 * rate_rps * (self.limit_ms / 1000 / math.log(100)) ** 2

    def warmup_for_s(self, rate_rps: float) -> float:
        """From an empty server to the usual queue."""
        return max(self.warmup_s, min(RELAXATIONS_WARMUP * self.relaxation_s(rate_rps), MAX_WARMUP_S))

    def short_s(self, rate_rps: float) -> float:
        """How long a trial is that only has to say which way to go: the certificate may pass with a few misses."""
        enough = 1.5 * requests_needed(QUANTILE, self.confidence) / rate_rps
        return self._within(SHORT_S, PARTS_SHORT, max(enough, RELAXATIONS_SHORT * self.relaxation_s(rate_rps)))

    def long_s(self, rate_rps: float) -> float:
        """How long a trial is that the capacity is estimated from."""
        enough = LONG_OVER_SHORT * 1.5 * requests_needed(QUANTILE, self.confidence) / rate_rps
        return self._within(LONG_S, PARTS_LONG, max(enough, RELAXATIONS_LONG * self.relaxation_s(rate_rps)))

    @property
    def lowest_rps(self) -> float:
        """Below this rate even the longest trial is too short for the certificate."""
        return min(
            self.start_rps, requests_needed(QUANTILE, self.confidence) / self._within(LONG_S, PARTS_LONG, math.inf)
        )

    def _within(self, bounds: tuple[float, float], parts: int, seconds: float) -> float:
        most = min(bounds[1], max(60 * self.max_minutes / parts, SHORT_S[0]))
        return min(max(seconds, bounds[0]), most)


def _check(name: str, value: float, above: float, most: float, *, below: bool = False) -> None:
    """Written so that NaN fails."""
    if not (above < value < most if below else above < value <= most) or math.isinf(value):
        raise ValueError(
            f"{name} is {value:g}; give a number above {above:g}, {'below' if below else 'at most'} {most:g}"
        )
