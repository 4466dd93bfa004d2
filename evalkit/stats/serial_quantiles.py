"""Quantiles of samples in time order that depend on their neighbours, such as latencies of one queue.

The interval is that of binomial order statistics (see ``quantiles``) for n ÷ τ independent samples, τ being the
correlation time of the tail. With τ = 1 it is exactly that of independent samples; it is never narrower. Where n ÷ τ
is too small for a bound, there is none, and it says how many samples are needed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import betainc

from evalkit.stats.correlation_time import tail_correlation_time
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import finite_values, require_all, require_count, require_fraction
from evalkit.stats.quantiles import quantile_rank, requests_needed

METHOD = "binomial order statistics of the effective sample size"
RATIO_METHOD = "percentile bootstrap of the quantile ratio, at effective sample sizes"

FloatArray = NDArray[np.float64]


def serial_quantile(samples: ArrayLike, q: float, level: float) -> Estimate:
    """The q-quantile of ``samples``, shape (n,), in time order, in their unit, with an interval at ``level``.

    The point is the smallest sample with at least a share q at or below it; ``n`` counts all samples. Each side errs
    with a probability near (1 − level) / 2.

    Raises ``ValueError`` for samples that are not finite and for q or level outside (0, 1).

    >>> independent = np.random.default_rng(3).permutation(np.arange(1.0, 2001.0))
    >>> p50 = serial_quantile(independent, q=0.5, level=0.95)
    >>> p50.point, 940 < p50.lower < 960 < 1040 < p50.upper < 1060
    (1000.0, True)
    >>> serial_quantile(np.repeat(independent[:100], 20), q=0.99, level=0.90).n_needed > 4000
    True
    """
    require_fraction("level", level)
    values = finite_values("samples", samples)
    time = tail_correlation_time(values, q)
    effective, error = values.size / time, (1 - level) / 2
    needed = max(requests_needed(q, 1 - error), requests_needed(1 - q, 1 - error))
    if effective < needed:
        return _too_few(values.size, time, needed, q)
    lower, upper = _effective_ranks(effective, q, error)
    ordered = np.sort(values)
    return Interval(
        point=_point(ordered, q),
        lower=float(ordered[max(1, math.floor(lower * time + 1e-9)) - 1]),
        upper=float(ordered[min(values.size, math.ceil(upper * time - 1e-9)) - 1]),
        level=level,
        n=values.size,
        method=METHOD,
    )


def serial_quantile_ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    q: float,
    level: float,
    rng: np.random.Generator,
    replicates: int = 2000,
) -> Estimate:
    """Ratio of the q-quantiles of two independent series in time order, shapes (n,) and (k,), of one unit.

    Percentile bootstrap (Efron and Tibshirani 1993, section 13.3) in which a series of n samples is drawn as if it had
    n ÷ τ. Nothing is resampled: the r-th order statistic of n uniform draws is Beta(r, n − r + 1), and drawing with
    replacement picks the sample of rank ceil(n · uniform), so a bootstrap quantile is the sample at a Beta-distributed
    rank, exactly. ``n`` of the result is the smaller sample's size.

    Raises ``ValueError`` for samples that are not finite, a denominator that is not positive, q or level outside
    (0, 1), or too few replicates to have 1 beyond each bound.
    """
    require_fraction("level", level)
    require_count("replicates", replicates, at_least=math.ceil(2 / (1 - level) - 1e-9))
    above, below = finite_values("numerator", numerator), finite_values("denominator", denominator)
    require_all("denominator", below, below > 0, "a ratio needs positive values below the line")
    needed = max(requests_needed(q, (1 + level) / 2), requests_needed(1 - q, (1 + level) / 2))
    times = tail_correlation_time(above, q), tail_correlation_time(below, q)
    for series, time in zip((above, below), times, strict=True):
        if series.size / time < needed:
            return _too_few(series.size, time, needed, q)
    drawn = [_drawn(series, q, time, rng, replicates) for series, time in zip((above, below), times, strict=True)]
    lower, upper = np.quantile(drawn[0] / drawn[1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        point=_point(np.sort(above), q) / _point(np.sort(below), q),
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=min(above.size, below.size),
        method=RATIO_METHOD,
    )


def _too_few(n: int, time: float, needed: int, q: float) -> NotEstimable:
    if n < needed:
        reason = f"{n} samples cannot bound the {q:g} quantile on both sides"
    else:
        reason = (
            f"{n} samples cannot bound the {q:g} quantile on both sides: they come in runs of about {time:.1f} that "
            f"are alike and say as much as {n / time:.0f} independent ones"
        )
    return NotEstimable(reason=reason, n=n, n_needed=math.ceil(needed * time - 1e-9))


def _effective_ranks(effective: float, q: float, error: float) -> tuple[float, float]:
    """Ranks r at which P(Bin(n, q) ≤ r − 1) and P(Bin(n, q) ≥ r) equal ``error``, for a number n that is not whole."""

    def at_least(rank: float) -> float:
        return float(betainc(rank, effective - rank + 1, q))

    lower = brentq(lambda rank: 1 - at_least(rank) - error, 1.0, effective) if (1 - q) ** effective < error else 1.0
    upper = brentq(lambda rank: at_least(rank) - error, 1e-9, effective) if q**effective < error else effective
    return float(lower), float(upper)


def _point(ordered: FloatArray, q: float) -> float:
    return float(ordered[quantile_rank(ordered.size, q) - 1])


def _drawn(series: FloatArray, q: float, time: float, rng: np.random.Generator, replicates: int) -> FloatArray:
    ordered, n = np.sort(series), series.size
    rank = quantile_rank(n, q)
    uniform = rng.beta(rank / time, (n - rank) / time + 1, size=replicates)
    return ordered[np.minimum((n * uniform).astype(np.int64), n - 1)]
