"""Latencies that come in runs say less about a cascade's than as many independent ones."""

from __future__ import annotations

import numpy as np

from evalkit.cascade.latency import Latencies, mixture_quantiles
from evalkit.stats.interval import Interval, NotEstimable

RUN = 20


def p_of(latencies: Latencies, q: float) -> Interval | NotEstimable:
    (found,) = mixture_quantiles(latencies, [(0.2, 1_000_000)], q, 0.90, np.random.default_rng(1))
    return found


def in_runs(n: int, seed: int) -> np.ndarray:
    return np.repeat(np.random.default_rng(seed).exponential(10.0, n // RUN), RUN)


def test_the_interval_of_the_mix_is_as_wide_as_runs_of_like_latencies_make_it() -> None:
    runs = Latencies(student_ms=in_runs(20_000, 2), teacher_ms=5 + in_runs(20_000, 3))
    rng = np.random.default_rng(4)
    mixed = Latencies(student_ms=rng.permutation(runs.student_ms), teacher_ms=rng.permutation(runs.teacher_ms))
    wide, narrow = p_of(runs, 0.5), p_of(mixed, 0.5)
    assert isinstance(wide, Interval)
    assert isinstance(narrow, Interval)
    assert 3 < (wide.upper - wide.lower) / (narrow.upper - narrow.lower) < 7, "near √20"


def test_too_few_independent_latencies_bound_no_p99() -> None:
    found = p_of(Latencies(student_ms=in_runs(4_000, 2), teacher_ms=in_runs(4_000, 3)), 0.99)
    assert isinstance(found, NotEstimable)
    assert "in runs of about" in found.reason
