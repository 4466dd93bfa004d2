"""Spending one error over several looks at the same held-out set.

Lan, K. K. G. and DeMets, D. L. (1983), "Discrete sequential boundaries for clinical trials", Biometrika
70, 659–663. α*(t) is the chance of a false claim that may be used up when a share t of the looks is
over; α*(1) = α. Look k of K is given the increment α*(k/K) − α*((k − 1)/K) alone, and no credit for
what earlier looks did not reject: the same rows judge one candidate after the other, so nothing is
known of how the looks hang together. By Bonferroni's inequality the looks together then err with
probability at most α under every dependence, where the boundaries of the paper need the increments of
one growing data set.
"""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import ndtri
from scipy.stats import norm

from evalkit.stats.preconditions import require_count, require_fraction

Spending = Literal["obrien_fleming", "pocock"]


def spent(planned: int, look: int, alpha: float, kind: Spending) -> float:
    """α*(look / planned), the one-sided error used up after ``look`` of the ``planned`` looks.

    O'Brien–Fleming type: 2 − 2 Φ(Φ⁻¹(1 − α/2) / sqrt(t)), next to nothing at first (Lan and DeMets 1983,
    α*₁). Pocock type: α ln(1 + (e − 1) t), nearly even (α*₂). Beyond the plan it stays α.

    Raises ``ValueError`` unless planned ≥ 1, look ≥ 0, 0 < alpha < 1 and the kind is one of the two.

    >>> [round(spent(4, look, 0.05, "obrien_fleming"), 4) for look in (1, 2, 3, 4)]
    [0.0001, 0.0056, 0.0236, 0.05]
    >>> [round(spent(4, look, 0.05, "pocock"), 4) for look in (1, 2, 3, 4)]
    [0.0179, 0.031, 0.0414, 0.05]
    """
    require_count("planned", planned, at_least=1)
    require_count("look", look)
    require_fraction("alpha", alpha)
    if kind not in ("obrien_fleming", "pocock"):
        raise ValueError(f"kind is {kind!r}; give obrien_fleming or pocock")
    if look == 0:
        return 0.0
    if look >= planned:
        return alpha
    share = look / planned
    if kind == "pocock":
        return alpha * math.log1p((math.e - 1) * share)
    # norm.sf keeps the digits that 1 − Φ loses where next to nothing is spent.
    return 2 * float(norm.sf(-float(ndtri(alpha / 2)) / math.sqrt(share)))


def confidence_at(look: int, planned: int, confidence: float, kind: Spending) -> float | None:
    """The one-sided confidence at which look ``look`` (from 1) may judge; ``None`` beyond the planned looks.

    It is 1 − (α*(look / planned) − α*((look − 1) / planned)) with α = 1 − confidence, so that all planned
    looks together err no more often than one at ``confidence``. An increment too small to be told from 0
    gives the largest float below 1, at which hardly anything can be claimed.

    Raises ``ValueError`` unless look ≥ 1 and as ``spent`` does.

    >>> [round(confidence_at(look, 3, 0.95, "pocock"), 4) for look in (1, 2, 3)]
    [0.9774, 0.9845, 0.9882]
    >>> confidence_at(1, 1, 0.95, "pocock"), confidence_at(4, 3, 0.95, "pocock")
    (0.95, None)
    """
    require_count("look", look, at_least=1)
    require_fraction("confidence", confidence)
    alpha = 1 - confidence
    increment = spent(planned, look, alpha, kind) - spent(planned, look - 1, alpha, kind)
    return None if look > planned else min(1 - increment, math.nextafter(1, 0))
