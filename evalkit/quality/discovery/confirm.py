"""Does the student lose more in these rows than in the others? One-sided tests of paired losses."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import hypergeom
from scipy.stats import t as student_t

from evalkit.quality.design_effect import design_effect

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
NEGLIGIBLE = 1e-15


def p_loses_more(loss: FloatArray, inside: BoolArray, clusters: NDArray[np.int64] | None) -> float:
    """One-sided p-value of H0: mean ``loss`` [n], of −1, 0 or 1 a row, is no higher ``inside`` [n] than outside.

    The larger of two, since each holds where the other may not: ``exact_p`` at any number of rows if the rows
    inside are like the others, ``welch_p`` also where both models disagree more often inside, but in balance. With
    ``clusters`` [n] the first takes effective counts, the second whole clusters as its units. Where no row is
    inside, or none outside, it is 1.
    """
    if not inside.any() or inside.all():
        return 1.0
    return max(exact_p(*_effective(loss, inside, clusters)), welch_p(loss, inside, clusters))


def exact_p(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> float:
    """P(losses − gains among the rows inside ≥ those observed) if the rows inside were drawn from all at random.

    Each side as (losses, gains, rows). Conditional on how many rows are lost and gained in all, the numbers
    inside are multivariate hypergeometric: the permutation test of the difference of the means, in closed form.
    Fisher 1935, "The Design of Experiments"; with no gains it is his exact test of a 2 × 2 table.

    >>> round(exact_p((3, 0, 4), (1, 0, 4)), 4)  # the lady tasting tea: (16 + 1) / 70
    0.2429
    """
    losses, gains, rows = (inside[index] + outside[index] for index in range(3))
    observed = inside[0] - inside[1]
    fewest, most = max(0, inside[2] - (rows - losses - gains)), min(inside[2], losses + gains)
    discordant = np.arange(fewest, most + 1)
    log_chance = _log_hypergeometric(discordant, rows, losses + gains, inside[2])
    likely = log_chance > math.log(NEGLIGIBLE)
    discordant, chance = discordant[likely], np.exp(log_chance[likely])
    needed = -((-observed - discordant) // 2)  # the fewest losses with losses − (discordant − losses) ≥ observed
    tail = hypergeom.sf(needed - 1, losses + gains, losses, discordant)
    return float(min(1.0, (chance * tail).sum() + NEGLIGIBLE))


def welch_p(loss: FloatArray, inside: BoolArray, clusters: NDArray[np.int64] | None) -> float:
    """One-sided p-value of Welch's t test, unequal variances, with whole clusters as units where there are any.

    Welch 1947, Biometrika 34, 28–35; each side's mean is the ratio estimator of its clusters. As in
    ``design_effect``, one unit unlike the others is added to a side's variance, so that a side whose rows are all
    alike is not taken for certain.
    """
    names = np.arange(len(loss)) if clusters is None else clusters
    mean_inside, variance_inside, units_inside = _mean(loss[inside], names[inside])
    mean_outside, variance_outside, units_outside = _mean(loss[~inside], names[~inside])
    if min(units_inside, units_outside) < 2:
        return 1.0
    variance = variance_inside + variance_outside
    freedom = variance**2 / (variance_inside**2 / (units_inside - 1) + variance_outside**2 / (units_outside - 1))
    return float(student_t.sf((mean_inside - mean_outside) / math.sqrt(variance), freedom))


def _mean(loss: FloatArray, clusters: NDArray[np.int64]) -> tuple[float, float, int]:
    """Mean, its variance and the number of clusters."""
    mean = float(loss.mean())
    _, numbers = np.unique(clusters, return_inverse=True)
    totals = np.bincount(numbers, weights=loss - mean)
    units = len(totals)
    between = units / max(units - 1, 1) * float((totals**2).sum()) / len(loss) ** 2
    return mean, between + 1.0 / units**2, units


def _effective(
    loss: FloatArray, inside: BoolArray, clusters: NDArray[np.int64] | None
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Losses, gains and rows on either side, each divided by its design effect and rounded against the find."""
    sides = []
    for rows, fewer, more in ((inside, math.floor, math.ceil), (~inside, math.ceil, math.floor)):
        effect = design_effect(loss[rows], None if clusters is None else clusters[rows])
        losses, gains = fewer((loss[rows] > 0).sum() / effect), more((loss[rows] < 0).sum() / effect)
        sides.append((losses, gains, max(losses + gains, round(int(rows.sum()) / effect))))
    return sides[0], sides[1]


def _log_hypergeometric(drawn: NDArray[np.int64], n: int, marked: int, draws: int) -> FloatArray:
    """Log of P(``drawn`` of ``marked`` among ``draws`` of ``n``)."""
    log_chance = _log_choose(marked, drawn) + _log_choose(n - marked, draws - drawn) - _log_choose(n, draws)
    return np.asarray(log_chance, dtype=np.float64)


def _log_choose(n: int, k: NDArray[np.int64] | int) -> FloatArray:
    return np.asarray(gammaln(n + 1) - gammaln(np.asarray(k) + 1) - gammaln(n - np.asarray(k) + 1), dtype=np.float64)
