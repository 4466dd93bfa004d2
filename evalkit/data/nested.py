"""Rows set apart to measure on, and nested parts of the rest: what a learning curve is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from evalkit.data.leakage import normalised

APART, NESTED = 1, 2
"""What a generator is for: the two draws of one seed have nothing to do with each other."""

IntArray = NDArray[np.int64]


def inseparable(texts: Sequence[str], clusters: pd.Series | None) -> IntArray:
    """Numbers rows alike [n] that must stay on one side: rows of equal text, as leakage compares them, and rows of one
    cluster, where ``clusters`` [n] are given; each row without a cluster stands for itself.

    >>> inseparable(["a", "b", "A", "c", "d"], pd.Series(["x", "y", "y", None, None])).tolist()
    [0, 0, 0, 1, 2]
    """
    of_text = pd.factorize(np.array([normalised(text) for text in texts], dtype=object))[0]
    if clusters is None:
        return np.asarray(of_text, dtype=np.int64)
    of_cluster = pd.factorize(clusters)[0]
    alone = of_cluster < 0
    of_cluster[alone] = of_cluster.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    nodes = of_text.max() + of_cluster.max() + 2
    joined = coo_array((np.ones(len(of_text)), (of_text, of_text.max() + 1 + of_cluster)), shape=(nodes, nodes))
    found = connected_components(joined, directed=False)[1]
    return np.asarray(pd.factorize(found[of_text])[0], dtype=np.int64)


def set_apart(units: IntArray, counted: NDArray[np.bool_], count: int, seed: int) -> tuple[IntArray, IntArray]:
    """Row numbers set apart, of which about ``count`` are ``counted`` [n], and those of all other rows; whole ``units``
    [n], in random order until there are enough. Units without a counted row stay with the others.

    >>> apart, rest = set_apart(np.arange(10), np.arange(10) < 6, 2, seed=1)
    >>> len(apart) + len(rest), int((apart < 6).sum())
    (10, 2)
    """
    of_unit = np.bincount(units, weights=counted)
    order = np.random.default_rng([seed, APART]).permutation(np.flatnonzero(of_unit))
    taken = order[: int(np.searchsorted(of_unit[order].cumsum(), count)) + 1]
    inside = np.isin(units, taken)
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def nested_parts(units: IntArray, shares: Sequence[float], seed: int) -> tuple[IntArray, ...]:
    """Row numbers of each of the ``shares`` (in (0, 1], ascending) of the rows: whole ``units`` [n] in one random
    order, so that each part holds the one before it.

    >>> small, whole = nested_parts(np.arange(10), (0.3, 1.0), seed=1)
    >>> len(small), len(whole), bool(np.isin(small, whole).all())
    (3, 10, True)
    """
    order = np.random.default_rng([seed, NESTED]).permutation(int(units.max()) + 1)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    summed = np.bincount(place[units]).cumsum()
    ends = [int(np.searchsorted(summed, round(share * len(units)))) for share in shares]
    return tuple(np.flatnonzero(place[units] <= end) for end in ends)
