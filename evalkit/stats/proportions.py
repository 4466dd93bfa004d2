"""One proportion with its interval."""

from __future__ import annotations

from statsmodels.stats.proportion import proportion_confint

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_count, require_fraction

WILSON = "Wilson score interval"
CLOPPER_PEARSON = "Clopper-Pearson exact interval"


def proportion(successes: int, n: int, level: float) -> Estimate:
    """The share ``successes / n`` with Wilson's interval (Wilson 1927, JASA 22, 209–212).

    At 0 or n successes it is the exact interval of Clopper and Pearson (1934, Biometrika 26,
    404–413), since Wilson's covers too seldom there. The units are assumed to be independent.

    Raises ``ValueError`` unless 0 ≤ successes ≤ n and 0 < level < 1.

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
    on_the_edge = successes in (0, n)
    lower, upper = proportion_confint(successes, n, alpha=1 - level, method="beta" if on_the_edge else "wilson")
    return Interval(
        point=successes / n,
        lower=float(lower),
        upper=float(upper),
        level=level,
        n=n,
        method=CLOPPER_PEARSON if on_the_edge else WILSON,
    )
