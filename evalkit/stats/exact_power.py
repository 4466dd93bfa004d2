"""The exact power of the one-sided Tango test, over every outcome of the discordant rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from evalkit.stats.paired_difference import tango_z
from evalkit.stats.preconditions import require_count, require_fraction

# Probability left out at each end of the number of discordant rows.
_OMITTED_TAIL = 1e-10

IntArray = NDArray[np.int64]


def power_above(n: int, difference: float, discordance: float, null: float, confidence: float) -> float:
    """Probability that n rows reject H0: Δ ≤ ``null`` when Δ and ψ are ``difference`` and ``discordance``.

    The test rejects when Tango's T(null) exceeds the normal quantile of ``confidence``. The
    discordant rows M are Binomial(n, ψ), and B of them, Binomial(M, (ψ + Δ) / 2ψ), are the student's.
    For each M the test rejects from some B on (T rises in B), so the sum over the trinomial (b, c) is
    a sum of binomial tails over M. What is left out makes the result at most 2e-10 too small.

    ``difference`` = ``null`` gives the exact type-I error there. Raises ``ValueError`` unless n ≥ 1,
    |Δ| ≤ ψ ≤ 1, −1 < null < 1 and 0 < confidence < 1.

    >>> power_above(52, difference=0.0, discordance=0.0, null=-0.05, confidence=0.95)
    1.0
    """
    require_count("n", n, at_least=1)
    require_fraction("confidence", confidence)
    require_rates(difference, discordance)
    if not -1 < null < 1:
        raise ValueError(f"null is {null}; give a difference in (-1, 1)")
    discordant = _likely_discordant(n, discordance)
    share = 0.5 if discordance == 0 else min(1.0, (discordance + difference) / (2 * discordance))
    first = _first_rejected(discordant, n, null, float(norm.ppf(confidence)))
    rejected = binom.pmf(discordant, n, discordance) * binom.sf(first - 1, discordant, share)
    return min(1.0, float(rejected.sum()))


def require_rates(difference: float, discordance: float) -> None:
    """Raise unless a difference of ``difference`` is possible at ``discordance`` (b + c)/n."""
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance is {discordance}; give a share of rows in [0, 1]")
    if not abs(difference) <= discordance:
        raise ValueError(f"difference is {difference}; it cannot exceed the discordance {discordance}")


def _likely_discordant(n: int, discordance: float) -> IntArray:
    fewest = int(binom.ppf(_OMITTED_TAIL, n, discordance))
    most = int(binom.isf(_OMITTED_TAIL, n, discordance))
    return np.arange(max(fewest, 0), most + 1, dtype=np.int64)


def _first_rejected(discordant: IntArray, n: int, null: float, z: float) -> IntArray:
    """The smallest b in 0…M that rejects, or M + 1 where none does; bisection, shape of ``discordant``."""
    lower, upper = np.full_like(discordant, -1), discordant + 1
    while np.any(upper - lower > 1):
        # Where the search has ended, this asks again about a known b and changes nothing.
        middle = np.maximum((lower + upper) // 2, 0)
        rejects = tango_z(middle, discordant - middle, n, null) > z
        lower, upper = np.where(rejects, lower, middle), np.where(rejects, middle, upper)
    return upper
