"""A share of requests in time order, whose neighbours are alike: refusals and errors come in runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evalkit.stats.correlation_time import correlation_time
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import finite_values
from evalkit.stats.proportions import CLOPPER_PEARSON, WILSON, proportion_bounds

AT_EFFECTIVE_SIZE = "at the effective sample size"


def serial_proportion(flags: ArrayLike, level: float) -> Estimate:
    """The share of true ``flags``, shape (n,), in time order, with an interval at two-sided ``level``.

    Wilson's interval (Clopper and Pearson's at 0 and n) for n ÷ τ independent flags, τ being their correlation time;
    never narrower than that of n independent ones. ``NotEstimable`` without flags.

    Raises ``ValueError`` for a level outside (0, 1).

    >>> share = serial_proportion([True] + 19 * [False], level=0.95)
    >>> f"{share.lower:.4f} {share.point:.4f} {share.upper:.4f}"
    '0.0089 0.0500 0.2361'
    """
    series = finite_values("flags", np.asarray(flags, dtype=np.float64))
    n, successes = series.size, float(series.sum())
    if n == 0:
        return NotEstimable(reason="there are no units", n=0, n_needed=1)
    time = correlation_time(series)
    lower, upper = proportion_bounds(successes / time, n / time, level)
    method = CLOPPER_PEARSON if successes in (0, n) else WILSON
    return Interval(
        point=successes / n,
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=n,
        method=f"{method} {AT_EFFECTIVE_SIZE}",
    )
