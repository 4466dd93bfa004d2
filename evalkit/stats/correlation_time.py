"""How many requests in a row count as one: the integrated autocorrelation time of a series in time order.

Requests of one queue wait behind each other, so that their latencies are alike, and n of them say as much as n ÷ τ
independent ones. τ = 1 + 2 Σ ρ(k), with ρ the autocorrelation at lag k, is estimated in two ways; the longer counts:

* Geyer (1992), "Practical Markov chain Monte Carlo", Statistical Science 7, 473-483, section 3.3: the sums
  ρ(2k) + ρ(2k + 1) are added as long as they are positive, and none counts for more than the one before.
* batch means (Law 2015, Simulation Modeling and Analysis, 5th ed., section 9.5.3): the variance of the means of 20
  batches against that of independent values. Only from 2,000 values on: short batches know nothing of long queues.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft

from evalkit.stats.preconditions import finite_values, require_fraction

BATCHES = 20
FEWEST_PER_BATCH = 100
WIDER = 5.0
"""τ of a tail quantile is also taken at the quantile with so many times as many values beyond it, and the longer
counts: a few clusters beyond p99 show too little of how long they are."""
LOWEST_TAIL = 0.9
SAME = 1e-9  # of a value: two that are closer differ by the rounding of floats, which is no order in time

FloatArray = NDArray[np.float64]


def correlation_time(series: ArrayLike) -> float:
    """τ of ``series``, shape (n,), in time order: at least 1, at most n; 1 where all values are the same.

    Raises ``ValueError`` for values that are not finite.

    >>> bool(correlation_time(np.random.default_rng(1).normal(size=1000)) < 1.2)
    True
    >>> bool(correlation_time(np.repeat(np.random.default_rng(1).normal(size=400), 10)) > 7)
    True
    """
    values = finite_values("series", series)
    n = values.size
    if n < 2 or values.min() == values.max():
        return 1.0
    centred = values - values.mean()
    return float(min(n, max(1.0, _initial_sequence(centred), _batch_means(centred))))


def tail_correlation_time(samples: ArrayLike, q: float) -> float:
    """τ of the indicator "beyond the q-quantile" of ``samples``, shape (n,), in time order.

    From q = 0.9 on the longer one of this and of the indicator with 5 times the tail, p95 for p99.

    Raises ``ValueError`` for samples that are not finite and for q outside (0, 1).
    """
    require_fraction("q", q)
    values = finite_values("samples", samples)
    if not values.size:
        return 1.0
    tails = (q, 1 - WIDER * (1 - q)) if q >= LOWEST_TAIL else (q,)
    ordered = np.sort(values)
    thresholds = {float(ordered[max(0, math.ceil(values.size * tail - 1e-9) - 1)]) for tail in tails}
    return max(
        correlation_time(np.asarray(values > threshold + SAME * abs(threshold), dtype=np.float64))
        for threshold in thresholds
    )


def _initial_sequence(centred: FloatArray) -> float:
    n = centred.size
    size = next_fast_len(2 * n, real=True)
    spectrum = rfft(centred, size)
    covariance = irfft(spectrum.real**2 + spectrum.imag**2, size)[: n - n % 2]
    pairs = (covariance[0::2] + covariance[1::2]) / covariance[0]
    ends = np.flatnonzero(pairs <= 0)
    pairs = pairs[: ends[0]] if ends.size else pairs
    return float(2 * np.minimum.accumulate(pairs).sum() - 1) if pairs.size else 1.0


def _batch_means(centred: FloatArray) -> float:
    length = centred.size // BATCHES
    if length < FEWEST_PER_BATCH:
        return 1.0
    means = centred[: length * BATCHES].reshape(BATCHES, length).mean(axis=1)
    return float(length * means.var(ddof=1) / np.mean(centred**2))
