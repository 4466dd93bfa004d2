"""The latency of a cascade, from the latencies of both models: a kept request takes the student's time, one that is
sent on takes the student's and then the teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.correlation_time import tail_correlation_time
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.serial_quantiles import serial_quantile

MOST_SAMPLES = 20_000
REPLICATES = 500
METHOD = "percentile bootstrap of the mixture's quantile, at effective sample sizes"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latencies:
    """Measured latencies in milliseconds of student [n] and teacher [k], in time order, under the same load."""

    student_ms: FloatArray
    teacher_ms: FloatArray


def mixture_quantiles(
    measured: Latencies,
    shares: Sequence[tuple[float, int]],
    q: float,
    level: float,
    rng: np.random.Generator,
) -> list[Estimate]:
    """The q-quantile of the mix at each share that is sent on; a share comes with the rows that it was seen on.

    The quantile of (1 − e) F_student + e F_student+teacher, where the sum is of requests drawn independently from
    both: a text that takes the student long is not known to take the teacher long. Latencies of both models and the
    share itself are resampled; the point is the quantile on the samples as they are. Latencies in a queue come in
    runs that are alike, so of n samples only n ÷ τ are drawn each time (see ``serial_quantiles``), and at most 20,000,
    which widens the interval. The teacher was measured under the whole load, of which a cascade
    leaves it a part, so its time is if anything too long.

    NotEstimable where either model's own quantile is. Raises ``ValueError`` for samples that are not finite and for
    q or level outside (0, 1).
    """
    for samples in (measured.student_ms, measured.teacher_ms):
        own = serial_quantile(samples, q, level)
        if isinstance(own, NotEstimable):
            return [own] * len(shares)
    student, teacher = measured.student_ms, measured.teacher_ms
    sizes = [_drawn_each_time(samples, q) for samples in (student, teacher)]
    student, teacher = (_at_most(samples, rng) for samples in (student, teacher))
    sent = np.array([share for share, _ in shares])
    rows = np.array([n for _, n in shares])
    replicates = max(REPLICATES, math.ceil(20 / (1 - level)))
    drawn = np.empty((replicates, len(shares)))
    for replicate in range(replicates):
        one, other = (
            samples[rng.integers(samples.size, size=size)]
            for samples, size in zip((student, teacher), sizes, strict=True)
        )
        drawn[replicate] = _quantiles(one, other, rng.binomial(rows, sent) / rows, q)
    points = _quantiles(rng.permutation(student), rng.permutation(teacher), sent, q)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    n = min(student.size, teacher.size)
    return [
        Interval(
            point=float(point),
            lower=float(min(low, point)),
            upper=float(max(high, point)),
            level=level,
            n=n,
            method=METHOD,
        )
        for point, low, high in zip(points, lower, upper, strict=True)
    ]


def _drawn_each_time(samples: FloatArray, q: float) -> int:
    """How many independent samples these are worth, at most ``MOST_SAMPLES``."""
    return min(MOST_SAMPLES, max(1, int(samples.size / tail_correlation_time(samples, q))))


def _at_most(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    return samples if samples.size <= MOST_SAMPLES else rng.choice(samples, MOST_SAMPLES, replace=False)


def _quantiles(student: FloatArray, teacher: FloatArray, sent: FloatArray, q: float) -> FloatArray:
    """The smallest latency that a share q of the mix keeps to, for each share ``sent``; both samples in random order,
    so that their sums pair them at random."""
    m = min(student.size, teacher.size)
    values = np.concatenate([student, student[:m] + teacher[:m]])
    order = np.argsort(values)
    is_kept = order < student.size
    kept, passed = np.cumsum(is_kept) / student.size, np.cumsum(~is_kept) / m
    at = [int(np.searchsorted((1 - share) * kept + share * passed, q - 1e-9)) for share in sent]
    return np.asarray(values[order][np.minimum(at, values.size - 1)], dtype=np.float64)
