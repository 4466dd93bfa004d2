"""The sum of two quantities that were estimated independently, from an interval of each.

Zou, G. Y. and Donner, A. (2008), "Construction of confidence limits about effect measures: a general approach",
Statistics in Medicine 27, 1693–1702. Each interval's side stands for the spread of its estimate near that bound, and
the squares of the sides add up (MOVER, the method of variance estimates recovery).
"""

from __future__ import annotations

import math

from evalkit.stats.interval import Interval

METHOD = "MOVER sum (Zou & Donner 2008)"


def independent_sum(first: Interval, second: Interval) -> Interval:
    """first + second, at their common level; a part that is certain (level 1) has no spread to add.

    Raises ``ValueError`` for two levels below 1 that differ. ``n`` is that of the part with the fewest units.

    >>> one = Interval(point=1.0, lower=0.7, upper=1.3, level=0.9, n=50, method="")
    >>> other = Interval(point=2.0, lower=1.6, upper=2.8, level=0.9, n=80, method="")
    >>> total = independent_sum(one, other)  # 3 − sqrt(0.3² + 0.4²), 3 + sqrt(0.3² + 0.8²)
    >>> f"{total.lower:.2f} {total.point:.2f} {total.upper:.2f}"
    '2.50 3.00 3.85'
    """
    uncertain = [part for part in (first, second) if part.level < 1.0]
    levels = sorted({round(part.level, 9) for part in uncertain})
    if len(levels) > 1:
        raise ValueError(f"the levels are {levels[0]} and {levels[1]}; give two intervals of one level")
    point = first.point + second.point
    return Interval(
        point=point,
        lower=point - math.hypot(first.point - first.lower, second.point - second.lower),
        upper=point + math.hypot(first.upper - first.point, second.upper - second.point),
        level=min(first.level, second.level),
        n=min((part.n for part in uncertain), default=min(first.n, second.n)),
        method=METHOD,
    )
