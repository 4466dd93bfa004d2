"""The power of the one-sided retention test, over the outcomes of the rows that either model gets right.

The score test of Tang, Tang and Chan (2003) looks at three counts: a rows right in both, b in the
student only, c in the teacher only. The discordant rows b + c are Binomial(n, ψ); a of the others and b
among them are binomial again. For each (b + c, a) the test rejects from some b on, so that the sum over
the trinomial is a sum of binomial tails. Few outcomes are all summed; of many, neighbours are taken
together and stand where the middle one does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from evalkit.stats.preconditions import require_count, require_fraction, require_positive
from evalkit.stats.retention import tang_z

# Probability left out at each end of each count.
_OMITTED_TAIL = 1e-6

# At most so many groups of outcomes; a count that spreads less leaves its share to the other.
_GROUPS = 3456
_DISCORDANT_GROUPS = 72
_BOTH_GROUPS = 48

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class RightRates(NamedTuple):
    """Shares of rows that both models, only the student, and only the teacher get right."""

    both: float
    student_only: float
    teacher_only: float


def power_retained(n: int, rates: RightRates, bar: float, confidence: float) -> float:
    """Probability that n rows show retention > ``bar`` at one-sided ``confidence``, given the true ``rates``.

    All outcomes but 4e-6 are summed while there are some thousand, which is up to a few hundred rows;
    beyond, the result is within 0.001 of the sum (tests compare them). A teacher that is never right
    rejects nothing.

    Raises ``ValueError`` unless n ≥ 1, the rates are shares with a sum of at most 1, bar > 0 and
    0 < confidence < 1.

    >>> round(power_retained(300, RightRates(0.80, 0.03, 0.03), bar=0.95, confidence=0.95), 3)
    0.878
    """
    return _power(n, rates, bar, confidence, sign=1)


def power_not_retained(n: int, rates: RightRates, bar: float, confidence: float) -> float:
    """Probability that n rows show retention < ``bar``; otherwise as ``power_retained``.

    >>> round(power_not_retained(300, RightRates(0.70, 0.03, 0.12), bar=0.95, confidence=0.95), 3)
    0.763
    """
    return _power(n, rates, bar, confidence, sign=-1)


def _power(n: int, rates: RightRates, bar: float, confidence: float, sign: int) -> float:
    require_count("n", n, at_least=1)
    require_positive("bar", bar)
    require_fraction("confidence", confidence)
    _require_shares(rates)
    discordance = min(1.0, rates.student_only + rates.teacher_only)
    among_rest = min(1.0, rates.both / (1 - discordance)) if discordance < 1 else 0.0
    most_both = max(_BOTH_GROUPS, _GROUPS // _span(n, discordance))
    most_discordant = max(_DISCORDANT_GROUPS, _GROUPS // min(most_both, _span(n, among_rest)))
    discordant, chance = _grouped(np.array(n), discordance, most_discordant)
    both, given = _grouped(n - discordant, among_rest, most_both)
    m = np.broadcast_to(discordant[:, np.newaxis], both.shape)
    share = rates.student_only / discordance if discordance > 0 else 0.5
    rejected = _chance_to_reject(m, both, share, bar, sign * float(norm.ppf(confidence)))
    return min(1.0, float(chance @ (given * rejected).sum(axis=1)))


def _require_shares(rates: RightRates) -> None:
    for name, rate in zip(rates._fields, rates, strict=True):
        if not 0 <= rate <= 1:
            raise ValueError(f"{name} is {rate}; give a share of rows in [0, 1]")
    if sum(rates) > 1 + 1e-9:
        raise ValueError(f"the rates sum to {sum(rates):g}; they are shares of the same rows, at most 1 in all")


def _span(total: int, share: float) -> int:
    """How many values of Binomial(total, share) are likely."""
    return int(binom.isf(_OMITTED_TAIL, total, share) - binom.ppf(_OMITTED_TAIL, total, share)) + 1


def _grouped(total: IntArray, share: float, most: int) -> tuple[IntArray, FloatArray]:
    """The likely values of Binomial(total, share), in at most some ``most`` groups along a new last axis.

    Gives the middle of each group, and the chance of the whole group.
    """
    fewest = np.asarray(binom.ppf(_OMITTED_TAIL, total, share), dtype=np.int64)
    span = int((binom.isf(_OMITTED_TAIL, total, share) - fewest).max()) + 1
    width = 2 * math.ceil((span / most - 1) / 2) + 1  # odd, so that it has a middle
    edges = fewest[..., np.newaxis] + width * np.arange(-(-span // width) + 1)
    below = binom.cdf(edges - 1, total[..., np.newaxis], share)
    middles = np.clip(edges[..., :-1] + width // 2, 0, total[..., np.newaxis])
    return middles, np.diff(below, axis=-1)


def _chance_to_reject(discordant: IntArray, both: IntArray, share: float, bar: float, z: float) -> FloatArray:
    """P(T > z) for z > 0, P(T < z) for z < 0, over b ~ Binomial(discordant, share); shape of the counts."""
    first = _first_above(discordant, both, bar, z)
    if z < 0:
        return np.asarray(binom.cdf(first - 1, discordant, share), dtype=np.float64)
    # With b alone, and no other right row, the teacher has none: that outcome is not estimable.
    none_right = np.where((both == 0) & (first <= discordant), binom.pmf(discordant, discordant, share), 0.0)
    return np.asarray(binom.sf(first - 1, discordant, share) - none_right, dtype=np.float64)


def _first_above(discordant: IntArray, both: IntArray, bar: float, z: float) -> IntArray:
    """The smallest b in 0…M with T(b) > z, or M + 1 where there is none; T rises in b."""
    lower, upper = np.full_like(discordant, -1), discordant + 1
    while np.any(upper - lower > 1):
        middle = np.maximum((lower + upper) // 2, 0)
        lost = discordant - middle
        above = tang_z(both, middle, np.where(both + lost == 0, 1e-9, lost), bar) > z
        lower, upper = np.where(above, lower, middle), np.where(above, middle, upper)
    return upper
