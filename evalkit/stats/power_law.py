"""A power law with an asymptote through a few correlated points, fitted to many draws of them at once.

    harm(n) = a + b · (n / N)^−c      with b ≥ 0, a ≥ floor and 0.05 ≤ c ≤ 2; N is the largest n

Errors of trained models fall so over several orders of magnitude (Hestness et al. 2017, arXiv:1712.00409, exponents of
0.07 to 0.35 in their tasks), and no other form with three parameters fits curves of many learners better by a large
amount (Viering and Loog 2023, "The shape of learning curves: a review", IEEE TPAMI 45, 7799–7819, section 4). It is
fitted by weighted least squares as in Figueroa et al. (2012), BMC Medical Informatics and Decision Making 12:8, with
the points' whole covariance as weight. Few points hardly identify the asymptote, so that it is bounded by what cannot
be (an accuracy above 1) and the exponent by what has been seen, and never taken from the best fit alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXPONENTS = np.geomspace(0.05, 2.0, 160)

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaws:
    """Fitted curves, one a draw: ``asymptote`` a, ``gain`` b and ``exponent`` c [draws], their ``misfit`` (squared
    distance from the points in units of their covariance) [draws], and N, the ``largest`` number of rows."""

    asymptote: FloatArray
    gain: FloatArray
    exponent: FloatArray
    misfit: FloatArray
    largest: int

    def harm(self, rows: FloatArray) -> FloatArray:
        """harm(n) [draws, rows]."""
        shrunk = (rows / self.largest)[np.newaxis] ** -self.exponent[:, np.newaxis]
        return np.asarray(self.asymptote[:, np.newaxis] + self.gain[:, np.newaxis] * shrunk, dtype=np.float64)

    def rows_at(self, harm: float) -> FloatArray:
        """The n [draws] at which the curve comes down to ``harm``: 0 where it lies below everywhere, ∞ where it never
        does.

        >>> law = {"asymptote": np.array([0.02]), "gain": np.array([0.04]), "exponent": np.array([0.5])}
        >>> PowerLaws(**law, misfit=np.zeros(1), largest=1000).rows_at(0.03).round()  # (0.04 / 0.01)² · 1000
        array([16000.])
        """
        above = harm - self.asymptote
        reached = above > 0
        with np.errstate(divide="ignore", over="ignore"):
            logged = np.log(self.gain) - np.log(np.where(reached, above, 1.0))
            rows = self.largest * np.exp(logged / self.exponent)
        return np.where(reached, rows, np.inf)


def fit_power_laws(rows: IntArray, harm: FloatArray, covariance: FloatArray, floor: float) -> PowerLaws:
    """The best curve for each draw of the points.

    ``rows`` [k] are the training rows, ascending, ``harm`` [draws, k] what each draw says of them, ``covariance``
    [k, k] that of one draw, ``floor`` the lowest asymptote that can be. For an exponent the rest is linear, so that the
    least squares under both bounds are exact; exponents are tried on a grid of 160, 2.3 % apart.
    """
    weight = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    shapes = np.asarray((rows / rows[-1]) ** -EXPONENTS[:, np.newaxis], dtype=np.float64)
    weighted = harm @ weight
    asymptote, gain, misfit = _linear_fits(shapes, weight, weighted, np.einsum("dk,dk->d", weighted, harm), floor)
    best = misfit.argmin(axis=0)
    every = np.arange(len(harm))
    return PowerLaws(
        asymptote=asymptote[best, every],
        gain=gain[best, every],
        exponent=EXPONENTS[best],
        misfit=np.maximum(misfit[best, every], 0.0),
        largest=int(rows[-1]),
    )


def _linear_fits(
    shapes: FloatArray, weight: FloatArray, weighted: FloatArray, squares: FloatArray, floor: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Asymptote, gain and misfit [exponents, draws] for the ``shapes`` [exponents, k]: the best of the free fit, where
    it keeps both bounds, and of the fits on each bound."""
    of_one, of_shape = weighted.sum(axis=1)[np.newaxis], shapes @ weighted.T
    one_one, one_shape = float(weight.sum()), (shapes @ weight.sum(axis=0))[:, np.newaxis]
    shape_shape = np.einsum("ek,kl,el->e", shapes, weight, shapes)[:, np.newaxis]
    free_gain = (one_one * of_shape - one_shape * of_one) / (one_one * shape_shape - one_shape**2)
    free = (of_one - one_shape * free_gain) / one_one, free_gain
    level = np.broadcast_to(np.maximum(of_one / one_one, floor), of_shape.shape), np.zeros_like(of_shape)
    floored = np.full_like(of_shape, floor), np.maximum((of_shape - floor * one_shape) / shape_shape, 0.0)

    def misfit(asymptote: FloatArray, gain: FloatArray) -> FloatArray:
        quadratic = asymptote**2 * one_one + 2 * asymptote * gain * one_shape + gain**2 * shape_shape
        return np.asarray(squares - 2 * (asymptote * of_one + gain * of_shape) + quadratic, dtype=np.float64)

    allowed = (free[1] >= 0) & (free[0] >= floor)
    misfits = np.stack([np.where(allowed, misfit(*free), np.inf), misfit(*level), misfit(*floored)])
    chosen = misfits.argmin(axis=0)
    asymptote = np.choose(chosen, [free[0], level[0], floored[0]])
    gain = np.choose(chosen, [free[1], level[1], floored[1]])
    return asymptote, gain, misfits.min(axis=0)
