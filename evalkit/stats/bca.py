"""The interval that bootstrap replicates give: BCa where it is defined, percentile where it is not.

Efron, B. (1987), "Better bootstrap confidence intervals", JASA 82, 171–185; Efron, B. and Tibshirani,
R. J. (1993), An Introduction to the Bootstrap, chapter 14. BCa takes the quantiles of the replicates at

    Φ(z0 + (z0 + z) / (1 − a (z0 + z)))

with z the normal quantile of the nominal share, z0 that of the share of replicates below the point
(ties count half), and a the acceleration, from the skewness of the jackknife values.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_count, require_fraction

# With more of the resamples undefined than this, the rest describe another population.
MOST_UNDEFINED = 0.05

# With fewer units than this behind the spread the resamples hardly differ, and a one-sided 95 % bound errs up to 17 %
# of the time instead of some 7 % (the coverage tests show both).
FEWEST_CARRYING = 5

# What differs by less than this (relative to values above 1) differs by rounding only.
_ROUNDING = 1e-13

# Nobody draws more replicates than this.
_MOST_REPLICATES = 10_000_000

FloatArray = NDArray[np.float64]


def bca_interval(
    point: float,
    replicates: ArrayLike,
    jackknife: ArrayLike,
    level: float,
    n: int,
    method: str = "paired bootstrap",
    counts: ArrayLike | None = None,
) -> Estimate:
    """Two-sided BCa interval of ``level`` from ``replicates``, shape (B,), and leave-one-out values, shape (m,), of
    which each stands for as many units as ``counts``, shape (m,), says (1, if not given).

    Where BCa is undefined (every replicate on one side of the point, no acceleration from the
    jackknife) it is the percentile interval, and the result's ``method`` says so and why. Undefined
    (NaN or infinite) replicates are left out and their share is named; above 5 % there is no estimate.
    Nor is there one where all replicates are the same, where fewer than 5 units carry the spread (see
    ``carrying_units``), where a bound lies beyond the outermost replicate, where the point is undefined, or
    where n < 2. ``n`` counts the units that were resampled.

    Raises ``ValueError`` for a level outside (0, 1) and for no replicates.

    >>> rng = np.random.default_rng(1)
    >>> sample = rng.normal(10.0, 2.0, size=400)
    >>> means = rng.choice(sample, size=(2000, 400)).mean(axis=1)
    >>> left_out = (sample.sum() - sample) / 399
    >>> mean = bca_interval(sample.mean(), means, left_out, level=0.95, n=400, method="bootstrap")
    >>> f"{mean.lower:.2f} {mean.point:.2f} {mean.upper:.2f}; {mean.method}"  # ± 1.96 · 2 / sqrt(400), about
    '9.66 9.84 10.01; bootstrap, BCa'
    """
    skew, carrying = acceleration(jackknife, counts), carrying_units(jackknife, counts)
    return interval_from_replicates(point, replicates, skew, level, n, method, carrying)


def acceleration(jackknife: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Σ d³ / (6 (Σ d²)^1.5), d the mean of the jackknife values less each of them; E. and T. (1993), eq. 14.15.

    ``jackknife``, shape (m,), is the statistic without each unit; ``counts``, shape (m,), says how many
    units each value stands for. NaN where a value is not finite or nothing varies.

    >>> acceleration([1.0, 1.0, 1.0]), acceleration([1.0, 2.0, 3.0])
    (nan, 0.0)
    """
    below, weights = _influences(jackknife, counts)
    squares, cubes = (float(weights @ below**power) for power in (2, 3))
    return cubes / (6 * squares * math.sqrt(squares))


def carrying_units(jackknife: ArrayLike, counts: ArrayLike | None = None) -> float:
    """How many units the spread rests on: (Σ d²)² / Σ d⁴, with d as in ``acceleration``.

    It is the effective number of Kish (1965), Survey Sampling, of units weighted by d²: all of them where
    all differ alike, a third for a normal sample, the discordant ones where a few rows decide. NaN where
    a value is not finite or nothing varies.

    >>> carrying_units([0.0, 1.0], counts=[8, 8])
    16.0
    >>> round(carrying_units([0.0, 1.0], counts=[998, 2]), 1)
    2.0
    """
    below, weights = _influences(jackknife, counts)
    squares, fourths = (float(weights @ below**power) for power in (2, 4))
    return squares**2 / fourths


def _influences(jackknife: ArrayLike, counts: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    values = np.asarray(jackknife, dtype=np.float64)
    weights = np.ones_like(values) if counts is None else np.asarray(counts, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all() or _same(values):
        return np.full(1, math.nan), np.ones(1)
    below = float(np.average(values, weights=weights)) - values
    # Scaled, since the powers of a leave-one-out difference of a large sample are tiny.
    return below / np.abs(below).max(), weights


def interval_from_replicates(
    point: float,
    replicates: ArrayLike,
    acceleration: float,
    level: float,
    n: int,
    method: str,
    carrying: float = math.nan,
) -> Estimate:
    """``bca_interval`` with what the jackknife says already known, NaN where it says nothing."""
    require_fraction("level", level)
    drawn = np.asarray(replicates, dtype=np.float64).ravel()
    require_count("replicates", drawn.size, at_least=1)
    defined = np.sort(drawn[np.isfinite(drawn)])
    undefined = 1 - defined.size / drawn.size
    missing = _missing(point, defined, undefined, n) or _too_few_carry(carrying, n)
    if missing is not None:
        return missing
    shares, how = _shares(point, defined, acceleration, level)
    fewest = _replicates_to_reach(shares)
    if defined.size < fewest:
        remedy = f"draw at least {fewest:,}" if fewest <= _MOST_REPLICATES else "too far for any number of them"
        return NotEstimable(reason=f"a bound lies beyond the outermost of {defined.size:,} replicates; {remedy}", n=n)
    lower, upper = (float(bound) for bound in np.quantile(defined, shares, method="weibull"))
    if _same(np.array([lower, upper])):
        return NotEstimable(reason="nearly every resample gives the same value, so its spread is unknown", n=n)
    if undefined > 0:
        how += f"; {undefined:.1%} of the resamples undefined and left out"
    return Interval(point=float(point), lower=lower, upper=upper, level=level, n=n, method=f"{method}, {how}")


def too_few_units(n: int) -> NotEstimable:
    """What there is instead of an interval when fewer than 2 units can be drawn."""
    return NotEstimable(reason="a spread needs at least 2 units to resample", n=n, n_needed=2)


def _missing(point: float, defined: FloatArray, undefined: float, n: int) -> NotEstimable | None:
    if n < 2:
        return too_few_units(n)
    if not math.isfinite(point):
        return NotEstimable(reason="the statistic is undefined on these rows", n=n)
    if undefined > MOST_UNDEFINED:
        return NotEstimable(
            reason=f"the statistic is undefined on {undefined:.1%} of the resamples, more than {MOST_UNDEFINED:.0%}",
            n=n,
        )
    if _same(defined):
        return NotEstimable(reason="every resample gives the same value, so its spread is unknown", n=n)
    return None


def _too_few_carry(carrying: float, n: int) -> NotEstimable | None:
    if not carrying < FEWEST_CARRYING:
        return None
    return NotEstimable(
        reason=f"about {carrying:.1f} of the {n} units carry the whole spread; a bootstrap needs {FEWEST_CARRYING}",
        n=n,
        n_needed=math.ceil(n * FEWEST_CARRYING / carrying),
    )


def _shares(point: float, ordered: FloatArray, acceleration: float, level: float) -> tuple[FloatArray, str]:
    """The shares of replicates to leave below each bound, and the name of the rule that gave them."""
    nominal = np.array([(1 - level) / 2, (1 + level) / 2])
    below, at_most = np.searchsorted(ordered, point, side="left"), np.searchsorted(ordered, point, side="right")
    share_below = float(below + at_most) / (2 * ordered.size)
    if share_below in (0.0, 1.0):
        return nominal, "percentile (BCa undefined: every replicate lies on one side of the point)"
    if not math.isfinite(acceleration):
        return nominal, "percentile (BCa undefined: the jackknife gives no acceleration)"
    bias = float(ndtri(share_below))
    shifted = bias + ndtri(nominal)
    stretch = 1 - acceleration * shifted
    if stretch.min() <= 0:
        return nominal, "percentile (BCa undefined: the acceleration is too large)"
    return np.asarray(ndtr(bias + shifted / stretch), dtype=np.float64), "BCa"


def _replicates_to_reach(shares: FloatArray) -> int:
    """The fewest replicates B with both shares in [1 / (B + 1), B / (B + 1)]."""
    outermost = max(float(min(shares.min(), 1 - shares.max())), 1e-300)
    # A hair less, since 1 / 0.05 may land above 20.
    return math.ceil(min(1 / outermost - 1 - 1e-9, 1e18))


def _same(values: FloatArray) -> bool:
    return bool(np.ptp(values) <= _ROUNDING * max(1.0, float(np.abs(values).max())))
