"""One proportion, or many at once, with an interval for each.

Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference", JASA 22,
209–212. With p = k/n its bounds are (p + z²/2n ± z sqrt(p (1 − p)/n + z²/4n²)) / (1 + z²/n). At 0 and
at n successes they cover too seldom; there the exact interval of Clopper and Pearson (1934),
Biometrika 26, 404–413, takes over, whose one bound is then ((1 − level)/2)^(1/n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_all, require_count, require_fraction

WILSON = "Wilson score interval"
CLOPPER_PEARSON = "Clopper-Pearson exact interval"

FloatArray = NDArray[np.float64]


def proportion_bounds(successes: ArrayLike, n: ArrayLike, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bounds of each share ``successes / n`` at two-sided ``level``; counts broadcast.

    The units are assumed to be independent. Raises ``ValueError`` unless 0 ≤ successes ≤ n, n ≥ 1 and
    0 < level < 1.

    >>> lower, upper = proportion_bounds([81, 0], [263, 20], level=0.95)
    >>> lower.round(4), upper.round(4)
    (array([0.2553, 0.    ]), array([0.3662, 0.1684]))
    """
    require_fraction("level", level)
    k, units = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    require_all("n", units, units >= 1, "a proportion needs at least 1 unit")
    require_all("successes", k, k >= 0, "a count is at least 0")
    require_all("n - successes", np.asarray(units - k), k <= units, "they are among the n units")
    z = float(ndtri((1 + level) / 2))
    share = k / units
    centre = share + z**2 / (2 * units)
    half = z * np.sqrt(share * (1 - share) / units + (z / (2 * units)) ** 2)
    lower, upper = (np.clip((centre + side * half) / (1 + z**2 / units), 0.0, 1.0) for side in (-1, 1))
    exact = ((1 - level) / 2) ** (1 / units)
    lower = np.where(k == 0, 0.0, np.where(k == units, exact, lower))
    upper = np.where(k == units, 1.0, np.where(k == 0, 1 - exact, upper))
    return lower, upper


def proportion(successes: int, n: int, level: float) -> Estimate:
    """The share ``successes / n`` with Wilson's interval, Clopper and Pearson's at 0 or n successes.

    The units are assumed to be independent. Raises ``ValueError`` unless 0 ≤ successes ≤ n and
    0 < level < 1.

    >>> share = proportion(81, 263, level=0.95)
    >>> f"{share.lower:.4f} {share.point:.4f} {share.upper:.4f}"
    '0.2553 0.3080 0.3662'
    """
    require_fraction("level", level)
    require_count("n", n)
    require_count("successes", successes)
    if successes > n:
        raise ValueError(f"successes is {successes}; there are only n = {n} units")
    if n == 0:
        return NotEstimable(reason="there are no units", n=0, n_needed=1)
    lower, upper = proportion_bounds(successes, n, level)
    return Interval(
        point=successes / n,
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=n,
        method=CLOPPER_PEARSON if successes in (0, n) else WILSON,
    )
