"""The mean of a few independent values, such as the throughput of separate time windows."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike
from scipy.stats import t

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import finite_values, require_fraction

METHOD = "Student t interval"


def mean_interval(values: ArrayLike, level: float) -> Estimate:
    """The mean of ``values``, shape (n,), with Student's t interval (Student 1908, Biometrika 6, 1–25).

    The values are assumed to be independent and roughly normal, as means over windows are. Below
    two values, or where all are the same, there is no spread to judge by and no estimate.

    Raises ``ValueError`` for values that are not finite and for a level outside (0, 1).

    >>> rate = mean_interval([98.0, 100.0, 102.0], level=0.95)  # 100 ± 4.303 · 2 / sqrt(3)
    >>> f"{rate.lower:.3f} {rate.point:.1f} {rate.upper:.3f}"
    '95.032 100.0 104.968'
    """
    require_fraction("level", level)
    sample = finite_values("values", values)
    n = sample.size
    if n < 2:
        return NotEstimable(reason="the spread of a mean needs at least 2 values", n=n, n_needed=2)
    if sample.min() == sample.max():
        return NotEstimable(reason="all values are the same, so their spread is unknown", n=n)
    mean = float(sample.mean())
    half = float(t.ppf((1 + level) / 2, n - 1)) * float(sample.std(ddof=1)) / math.sqrt(n)
    return Interval(point=mean, lower=mean - half, upper=mean + half, level=level, n=n, method=METHOD)
