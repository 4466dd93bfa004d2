"""Quantiles of independent samples, such as the p99 of request latencies, without assuming a shape.

The number of samples at or below the true quantile ξ_q is Binomial(n, q), so an order statistic
bounds ξ_q with a known confidence: David and Nagaraja (2003), Order Statistics, 3rd ed., section 7.1.
For samples with ties the confidence is at least the nominal one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc
from scipy.stats import binom

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import finite_values, require_count, require_fraction

METHOD = "binomial order statistics"

FloatArray = NDArray[np.float64]


def quantile(samples: ArrayLike, q: float, level: float) -> Estimate:
    """The q-quantile of ``samples``, shape (n,), in their unit, with an order-statistic interval.

    Each side errs with probability at most (1 − level) / 2, so the upper bound of a 0.90 interval is
    a one-sided 0.95 bound. The point is the smallest sample with at least a share q at or below it.
    ``NotEstimable`` with ``n_needed`` where one side has no order statistic far enough out.

    Raises ``ValueError`` for samples that are not finite and for q or level outside (0, 1).

    >>> quantile(range(1, 299), q=0.99, level=0.90).n_needed
    299
    >>> p50 = quantile(range(1, 101), q=0.50, level=0.95)
    >>> p50.lower, p50.point, p50.upper
    (40.0, 50.0, 61.0)
    """
    require_fraction("q", q)
    require_fraction("level", level)
    ordered = np.sort(finite_values("samples", samples))
    n = ordered.size
    missing = _too_few(n, q, level)
    if missing is not None:
        return missing
    lower_rank, upper_rank = _bound_ranks(n, q, level)
    return Interval(
        point=float(ordered[quantile_rank(n, q) - 1]),
        lower=float(ordered[lower_rank - 1]),
        upper=float(ordered[upper_rank - 1]),
        level=level,
        n=n,
        method=METHOD,
    )


def requests_needed(q: float, confidence: float) -> int:
    """The fewest samples whose largest is an upper bound of ξ_q at one-sided ``confidence``.

    The smallest n with q^n ≤ 1 − confidence. Raises ``ValueError`` for arguments outside (0, 1).

    >>> requests_needed(0.99, 0.95), requests_needed(0.99, 0.99)
    (299, 459)
    """
    require_fraction("q", q)
    require_fraction("confidence", confidence)
    # The logarithms may land a hair beyond a whole number; a billionth of a request is no request.
    return max(1, math.ceil(math.log1p(-confidence) / math.log(q) - 1e-9))


def certificate_passes(n: int, over_limit: int, q: float, confidence: float) -> bool:
    """Whether n requests, ``over_limit`` of them too slow, certify that the q-quantile keeps the limit.

    The early-stopping rule of MLPerf LoadGen: pass iff n ≥ h + t, with t over the limit and h the
    smallest count with I_q(h, t + 1) ≤ 1 − confidence, I the regularised incomplete beta function.
    It is the exact binomial test of H0: a share of at most q of all requests is within the limit.

    Raises ``ValueError`` unless 0 ≤ over_limit ≤ n and q and confidence lie in (0, 1).

    >>> certificate_passes(459, 0, q=0.99, confidence=0.99), certificate_passes(458, 0, 0.99, 0.99)
    (True, False)
    """
    require_count("n", n)
    if over_limit > n:
        raise ValueError(f"over_limit is {over_limit}; there are only n = {n} requests")
    return n >= certificate_requests(over_limit, q, confidence)


def certificate_requests(over_limit: int, q: float, confidence: float) -> int:
    """The fewest requests, h + t, that certify the limit when t = ``over_limit`` of them exceed it.

    Raises ``ValueError`` for a negative count and for q or confidence outside (0, 1).

    >>> [certificate_requests(t, q=0.99, confidence=0.99) for t in (0, 1)]
    [459, 662]
    """
    require_count("over_limit", over_limit)
    require_fraction("q", q)
    require_fraction("confidence", confidence)

    def certifies(within_limit: int) -> bool:
        return float(betainc(within_limit, over_limit + 1, q)) <= 1 - confidence

    upper = 1
    while not certifies(upper):
        upper *= 2
    lower = upper // 2
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if certifies(middle) else (middle, upper)
    return upper + over_limit


def _too_few(n: int, q: float, level: float) -> NotEstimable | None:
    each_side = (1 + level) / 2
    needed = max(requests_needed(q, each_side), requests_needed(1 - q, each_side))
    if n >= needed:
        return None
    return NotEstimable(reason=f"{n} samples cannot bound the {q:g} quantile on both sides", n=n, n_needed=needed)


def _bound_ranks(n: int, q: float, level: float) -> tuple[int, int]:
    """Ranks (from 1) of the lower and upper bound; clipping only guards the smallest n allowed."""
    error = (1 - level) / 2
    lower, upper = int(binom.ppf(error, n, q)), int(binom.isf(error, n, q)) + 1
    return max(lower, 1), min(upper, n)


def quantile_rank(n: int, q: float) -> int:
    """Rank (from 1) of the empirical q-quantile; 0.07 · 100 is 7, whatever the floats say."""
    return min(n, max(1, math.ceil(n * q - 1e-9)))
