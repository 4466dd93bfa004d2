"""Throughput and p99 of every way at every batch, in turns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.gpu_bench.ways import Feeds, Way
from benchmarks.serving_bench.open_loop import quantile

_WARM_RUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one way at one batch in one round."""

    rows_per_s: float
    p99_ms: float


def timed(way: Way, feeds: Feeds, seconds: float) -> Speed:
    """Runs the batch again and again for ``seconds``; each run ends with logits in the computer's memory."""
    for _ in range(_WARM_RUNS):
        way(feeds)
    taken, end = [], time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        way(feeds)
        taken.append(time.perf_counter() - started)
    rows = len(next(iter(feeds.values())))
    return Speed(rows_per_s=rows * len(taken) / sum(taken), p99_ms=1e3 * quantile(np.array(taken), 0.99))


def in_turns(ways: Mapping[str, Way], feeds: Feeds, rounds: int, seconds: float) -> dict[str, list[Speed]]:
    """Every way once a round, so that a machine that slows down slows all."""
    found: dict[str, list[Speed]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(timed(way, feeds, seconds))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far one way's logits are from another's: the largest difference, and labels that change, of ``texts``."""

    largest_logit_difference: float
    label_flips: int
    texts: int


def parity(expected: np.ndarray, found: np.ndarray) -> Parity:
    """Compares logits [texts, labels].

    >>> parity(np.array([[0.0, 1.0]]), np.array([[1.5, 1.0]]))
    Parity(largest_logit_difference=1.5, label_flips=1, texts=1)
    """
    return Parity(
        largest_logit_difference=float(np.abs(expected - found).max()),
        label_flips=int((expected.argmax(1) != found.argmax(1)).sum()),
        texts=len(expected),
    )
