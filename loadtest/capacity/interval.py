"""How sure the capacity is: trials and their blocks of time are drawn again, and the fit is repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from loadtest.capacity.fit import bracket_of, crossing_rps
from loadtest.capacity.trial import Trial

METHOD = "isotonic fit of the share over the limit, bootstrap t of trials and their blocks of time"
NEAR = 1.3
"""Trials within this factor of the capacity decide it and are drawn again; the others stay."""
FEWEST_NEAR = 4

FloatArray = NDArray[np.float64]


def capacity_interval(trials: Sequence[Trial], level: float, rng: np.random.Generator, replicates: int) -> Estimate:
    """The capacity with a two-sided interval at ``level``.

    Requests of one queue depend on each other and trials on the state of the machine, so neither are drawn alone:
    of the trials near the capacity as many are drawn with replacement as there are, and of each its blocks (a
    two-stage bootstrap: Davison and Hinkley 1997, section 3.8). The spread of the logarithm of the fitted capacity
    over the draws is its standard error; Student's t with two degrees of freedom fewer than trials gives the bounds
    (percentiles of a stepwise fit were too narrow in simulation, 70 % instead of 90 %). Nobody knows what happens
    between two tried rates, so the interval reaches at least to those that enclose the capacity. ``n`` counts the
    trials near the capacity; below four of them there is no estimate.

    Raises ValueError where no trial counted a request.
    """
    usable = sorted((trial for trial in trials if trial.measured.requests), key=lambda trial: trial.rate_rps)
    if not usable:
        raise ValueError("no trial counted a request; give at least one that did")
    rates = np.array([trial.rate_rps for trial in usable])
    counts = np.array([trial.measured.blocks for trial in usable], dtype=np.float64)
    totals = counts.sum(axis=1)
    point = crossing_rps(rates, totals[:, 0], totals[:, 1])
    near = np.abs(np.log(rates / point)) <= math.log(NEAR)
    n = int(near.sum())
    if n < FEWEST_NEAR:
        return NotEstimable(
            reason=f"{n} trials lie near the capacity; its spread needs {FEWEST_NEAR}", n=n, n_needed=FEWEST_NEAR
        )
    drawn = _draws(rates, counts, near, rng, replicates)
    error = float(np.log(drawn).std(ddof=1))
    factor = math.exp(float(t.ppf((1 + level) / 2, n - 2)) * error)
    under, over = bracket_of(rates, totals[:, 0], totals[:, 1])
    return Interval(
        point=point,
        lower=min(point / factor, under if under is not None else math.inf),
        upper=max(point * factor, over if over is not None else 0.0),
        level=level,
        n=n,
        method=METHOD,
    )


def _draws(
    rates: FloatArray, counts: FloatArray, near: NDArray[np.bool_], rng: np.random.Generator, replicates: int
) -> FloatArray:
    """The capacities of ``replicates`` draws; ``counts`` [trials, blocks, 2] are requests and those over the limit."""
    chosen = rng.choice(np.flatnonzero(near), size=(replicates, int(near.sum())))
    blocks = rng.integers(counts.shape[1], size=(*chosen.shape, counts.shape[1]))
    drawn = counts[chosen[..., np.newaxis], blocks].sum(axis=2)
    far_rates, far = rates[~near], counts[~near].sum(axis=1)
    return np.array(
        [
            _crossing(np.concatenate([far_rates, rates[trials]]), np.concatenate([far, table]))
            for trials, table in zip(chosen, drawn, strict=True)
        ]
    )


def _crossing(rates: FloatArray, table: FloatArray) -> float:
    counted = table[:, 0] > 0
    order = np.argsort(rates[counted], kind="stable")
    return crossing_rps(rates[counted][order], *table[counted][order].T)
