"""The share of requests over the limit as a rising function of the rate, and where it passes 1 %."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from loadtest.capacity.plan import ALLOWED_SHARE

FAR = 3.0
"""A block whose share is so many times below or above 1 % stands at its end that is nearest to the capacity: all of it
lies on one side, and where in it says nothing."""

FloatArray = NDArray[np.float64]


def crossing_rps(rates: FloatArray, requests: FloatArray, over: FloatArray) -> float:
    """The rate at which the isotonic fit of over ÷ requests passes 1 %; arguments of shape (trials,), rates ascending.

    Pool-adjacent-violators (Barlow et al. 1972; scipy's ``isotonic_regression``) weighted by requests. Between the
    centres of its blocks the logarithm of the share is a straight line over the logarithm of the rate, since the tail
    of a queue's waiting time is about exponential. A block without any request over the limit counts half a one. Where
    the fit stays on one side of 1 %, the outermost rate on the other side's end is returned.

    >>> shares = np.array([0.0025, 0.005, 0.02, 0.08])
    >>> round(crossing_rps(np.array([100.0, 200.0, 400.0, 800.0]), np.full(4, 1e4), 1e4 * shares), 1)
    282.8
    """
    centres, shares = _blocks(rates, requests, over)
    wanted = math.log(ALLOWED_SHARE)
    if shares[0] > wanted:
        return float(rates[0])
    if shares[-1] <= wanted:
        return float(rates[-1])
    after = int(np.searchsorted(shares, wanted, side="right"))
    part = (wanted - shares[after - 1]) / (shares[after] - shares[after - 1])
    return math.exp(centres[after - 1] + part * (centres[after] - centres[after - 1]))


def bracket_of(rates: FloatArray, requests: FloatArray, over: FloatArray) -> tuple[float | None, float | None]:
    """The highest rate whose fitted share is at most 1 %, and the lowest whose is above; None where there is none."""
    rates, requests, over = _by_rate(rates, requests, over)
    fitted = isotonic_regression(over / requests, weights=requests).x
    under = fitted <= ALLOWED_SHARE
    highest = float(rates[under][-1]) if under.any() else None
    lowest = float(rates[~under][0]) if not under.all() else None
    return highest, lowest


def _blocks(rates: FloatArray, requests: FloatArray, over: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The logarithms of each pooled block's rate and of its share, both ascending."""
    rates, requests, over = _by_rate(rates, requests, over)
    bounds = isotonic_regression(over / requests, weights=requests).blocks
    starts = bounds[:-1]
    weight = np.add.reduceat(requests, starts)
    shares = np.maximum.accumulate(np.maximum(np.add.reduceat(over, starts), 0.5) / weight)
    centres = np.add.reduceat(requests * np.log(rates), starts) / weight
    first, last = np.log(rates[starts]), np.log(rates[bounds[1:] - 1])
    far_below, far_above = shares * FAR < ALLOWED_SHARE, shares > FAR * ALLOWED_SHARE
    return np.where(far_below, last, np.where(far_above, first, centres)), np.log(shares)


def _by_rate(rates: FloatArray, requests: FloatArray, over: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Trials at one rate are one observation, whatever their order."""
    starts = np.flatnonzero(np.diff(rates, prepend=-np.inf))
    return rates[starts], np.add.reduceat(requests, starts), np.add.reduceat(over, starts)
