"""What a bootstrap of few differing units leaves out: the gain and the loss that nobody has seen.

The bootstrap knows only what it has drawn from: of two models that differ on a few rows, all of them in the student's
favour, no resample shows a loss, and the bound of the gap is 0 whatever the number of rows. So the resamples for the
lower bound get one more loss, on average, and those for the upper bound one more gain. Clopper and Pearson's bound of
c events is a quantile for c + 1 of them; for sums of events of unequal weight the one more is an event of the largest
weight (Fay & Feuer 1997, "Confidence intervals for directly standardized rates", Statistics in Medicine 16, 791–801).
In mean recall that is a row of the rarest label; where rows share clusters, it is a cluster of average size. It
matters where the models differ on a few units, and vanishes where they differ on many.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from evalkit.quality.metrics.metric import FloatArray, IntArray
from evalkit.stats.interval import Estimate, Interval, NotEstimable

FEWEST_DIFFERING = 5
"""Differences that are no counts come in all sizes; fewer than this say little of how large the others are."""

ADDED = "with one more loss or gain"


def too_alike(differing: int, n: int) -> NotEstimable:
    """What there is instead of a gap of ``n`` units of which fewer than ``FEWEST_DIFFERING`` differ."""
    if differing == 0:
        return NotEstimable(reason="both models give the same on every unit, so the gap has no spread", n=n)
    return NotEstimable(
        reason=f"the models differ on only {differing} of {n} units; it takes {FEWEST_DIFFERING}",
        n=n,
        n_needed=math.ceil(n * FEWEST_DIFFERING / differing),
    )


def exchanged(units: FloatArray) -> FloatArray:
    """The same units with what the models gave exchanged, [m, 2k]."""
    return np.roll(units, units.shape[1] // 2, axis=1)


def extremes(candidates: FloatArray, moved: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of candidate units [m, 2k] that move the gap by ``moved`` [m], the one that lowers it most and the one that
    raises it most, [1, 2k] each; moves that are not defined come last."""
    lowest, highest = (
        np.argmin(np.where(np.isnan(moved), np.inf, moved)),
        np.argmax(np.where(np.isnan(moved), -np.inf, moved)),
    )
    return candidates[[lowest]], candidates[[highest]]


def between(with_loss: Estimate, with_gain: Estimate) -> Estimate:
    """From the lower bound of resamples with one more loss to the upper bound of those with one more gain."""
    if isinstance(with_loss, Interval) and isinstance(with_gain, Interval):
        return replace(with_loss, upper=with_gain.upper)
    return with_gain if isinstance(with_loss, Interval) else with_loss


def one_more(units: FloatArray, often: IntArray, replicates: int, rng: np.random.Generator) -> FloatArray:
    """What one of ``units`` [m, 2k] on average, drawn as ``often`` [m] as it is there, adds to each resample's sums,
    [replicates, 2k]. The number of them is Poisson's, as that of a unit in a resample."""
    counts = rng.poisson(1.0, replicates)
    picked = rng.choice(len(units), counts.sum(), p=often / often.sum())
    added = np.zeros((replicates, units.shape[1]))
    np.add.at(added, np.repeat(np.arange(replicates), counts), units[picked])
    return added
