"""The paired difference of two proportions, averaged over groups with known shares of the whole.

With b_g, c_g and n_g the counts of group g and w_g its share, Δ_w = Σ w_g (b_g − c_g)/n_g. The interval
holds the values Δ0 that the score test does not reject, as Tango's does for a single group, with which it
agrees exactly:

    |Δ_w − Δ0| ≤ z sqrt(Σ w_g² (p_b + p_c − (p_b − p_c)²)/n_g)

p_b and p_c of every group are the maximum likelihood estimates under Σ w_g (p_b − p_c) = Δ0. Tango, T. (1998),
Statistics in Medicine 17, 891–908; restricted estimates in several strata as in Miettinen, O. and Nurminen, M.
(1985), "Comparative analysis of two rates", Statistics in Medicine 4, 213–226. A group in which nothing differed
is thus not taken for one in which nothing can: as in Fay, M. P. and Feuer, E. J. (1997), "Confidence intervals for
directly standardized rates", Statistics in Medicine 16, 791–801, few rows with a large share keep the interval wide.

With a Lagrange multiplier λ and t = |λ| w_g, the estimates are p_other = other/(μ + t), p_same = same/μ and
p_favoured the rest, where μ ≥ t makes favoured/(μ − t) + other/(μ + t) + same/μ = 1 or, if nothing does, is t.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from evalkit.stats.preconditions import require_all, require_fraction
from evalkit.stats.score_root import crossing

METHOD = "stratified Tango score interval"

FloatArray = NDArray[np.float64]


def weighted_bounds(
    student_only: ArrayLike, teacher_only: ArrayLike, n: ArrayLike, weights: ArrayLike, level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bounds of Δ_w at two-sided confidence ``level``.

    ``student_only`` and ``teacher_only`` have shape (..., groups), ``n`` and ``weights`` any that broadcasts to
    it; the bounds have shape (...). Counts may be fractions (effective rows); weights are taken as shares of
    their sum, and a group of weight 0 says nothing.

    Raises ``ValueError`` for impossible counts, a group with less than a row's worth of evidence, weights that
    are negative, not finite or all 0, and a level outside (0, 1).

    >>> lower, upper = weighted_bounds([9, 0], [3, 0], [32, 50], [1, 0], 0.95)  # Tango 1998, Table VII
    >>> f"{lower:.3f} {upper:.3f}"
    '-0.027 0.390'
    """
    require_fraction("level", level)
    b, c, rows, share = _strata(student_only, teacher_only, n, weights)
    z = float(ndtri((1 + level) / 2))
    return -_upper(c, b, rows, share, z), _upper(b, c, rows, share, z)


def _strata(
    student_only: ArrayLike, teacher_only: ArrayLike, n: ArrayLike, weights: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    given = (np.asarray(x, dtype=np.float64) for x in (student_only, teacher_only, n, weights))
    b, c, rows, weight = np.broadcast_arrays(*given)
    require_all("n", rows, rows > 0, "a difference needs rows in every group")
    require_all("student_only", b, b >= 0, "a count is at least 0")
    require_all("teacher_only", c, c >= 0, "a count is at least 0")
    excess = np.asarray(b + c - rows)
    require_all("student_only + teacher_only - n", excess, excess <= 1e-9 * rows, "they are among the n rows")
    require_all("weights", weight, (weight >= 0) & np.isfinite(weight), "a weight is finite and at least 0")
    total = np.asarray(weight.sum(axis=-1, keepdims=True))
    require_all("sum of weights", total, total > 0, "give a group a weight above 0")
    return b, c, rows, weight / total


def _upper(gains: FloatArray, losses: FloatArray, n: FloatArray, share: FloatArray, z: float) -> FloatArray:
    """Where the score falls through −z as the gains are favoured more and more (λ from 0 to infinity)."""
    point = (share * (gains - losses) / n).sum(axis=-1)
    # In units in which 1 is what a group without discordant rows needs to move at all.
    unit = (n / np.where(share > 0, share, np.nan)).min(axis=-1, initial=np.inf, where=share > 0)

    def null(effort: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Δ0 and the variance of Δ_w under it, each [...], at λ = unit · effort/(1 − effort)."""
        tilt = (unit * effort / np.maximum(1 - effort, 1e-16))[..., np.newaxis] * share
        favoured, other = _restricted(gains, losses, n, tilt)
        difference = favoured - other
        variance = share**2 * np.maximum(favoured + other - difference**2, 0.0) / n
        return (share * difference).sum(axis=-1), variance.sum(axis=-1)

    def score(effort: FloatArray) -> FloatArray:
        favoured, variance = null(effort)
        distance = point - favoured
        # No spread is left when all is gained; then no Δ0 beyond is possible.
        beyond = np.where(distance < 0, -np.inf, 0.0)
        ratio: FloatArray = np.divide(distance, np.sqrt(variance), out=beyond, where=variance > 0)
        return ratio

    found, _ = null(crossing(score, -z, np.zeros_like(point), np.ones_like(point)))
    return np.clip(found, point, 1.0)


def _restricted(
    favoured: FloatArray, other: FloatArray, n: FloatArray, tilt: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The estimated probabilities of both kinds of discordant row, where ``tilt`` ≥ 0 pushes them apart."""
    same = np.maximum(n - favoured - other, 0.0)
    mu = np.where(favoured > 0, _cubic_root(favoured, other, same, tilt), _quadratic_root(other, same, tilt))
    mu = np.maximum(mu, tilt)
    p_other = other / (mu + tilt)
    return np.clip(1 - p_other - same / mu, 0.0, 1.0), p_other


def _cubic_root(favoured: FloatArray, other: FloatArray, same: FloatArray, t: FloatArray) -> FloatArray:
    """The largest μ, all three being real, with μ³ − nμ² − kμ + same t² = 0, k = t² + (favoured − other) t."""
    third = (favoured + other + same) / 3
    k = t * (t + favoured - other)
    p, q = third**2 + k / 3, third**3 + third * k / 2 - same * t**2 / 2
    angle = np.arccos(np.clip(q / p**1.5, -1.0, 1.0)) / 3
    root: FloatArray = third + 2 * np.sqrt(p) * np.cos(angle)
    return root


def _quadratic_root(other: FloatArray, same: FloatArray, t: FloatArray) -> FloatArray:
    """The same where nothing is favoured: μ² + (t − n)μ − same t = 0."""
    apart = other + same - t
    root: FloatArray = (apart + np.sqrt(apart**2 + 4 * same * t)) / 2
    return root
