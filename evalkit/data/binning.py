"""Numbers grouped into bins: by edges that the spec states, or by quantiles of the rows at hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.levels import MISSING, Levels
from evalkit.data.numbers import numbers_of, short

# A double is told apart from its neighbours by 17 significant digits.
MOST_DIGITS = 17


def binned(column: pd.Series, edges: Sequence[float], name: str) -> Levels:
    """Rows by stated, rising edges: ``<18``, ``[18, 65)``, ``≥65``; a bin without rows stays in ``names``.

    Missing values are a level of their own, there only where one is missing. Raises DataError for a value that is no
    finite number.
    """
    return _cut(numbers_of(column, name), edges, _bin_names(edges))


def quantiles(column: pd.Series, groups: int, name: str) -> Levels:
    """Rows in ``groups`` bins of about equal size, named like stated bins; equal values are never split.

    Each edge lies where the value changes, nearest to its equal share, so ties make fewer and unequal groups; a
    column of one value makes one group, of that name. Raises DataError for a value that is no finite number.
    """
    values = numbers_of(column, name)
    known = np.sort(values[~np.isnan(values)])
    edges = quantile_edges(known, groups)
    names = _bin_names(edges) if edges else tuple(short(value) for value in known[:1])
    return _cut(values, edges, names)


def quantile_edges(ordered: NDArray[np.float64], groups: int) -> tuple[float, ...]:
    """The edges, at most ``groups`` − 1, of numbers in rising order [n].

    Each is the number of fewest digits that parts the same rows, so that a name like ``[35, 80)`` is exactly true.

    >>> quantile_edges(np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), 4)
    (3.0, 5.0, 7.0)
    >>> quantile_edges(np.array([0.0, 0, 0, 0, 0, 0, 3.14159, 9]), 4)
    (3.0,)
    """
    n = len(ordered)
    cuts = {_nearest_change(ordered, n * part / groups) for part in range(1, groups)} - {0, n}
    return tuple(_roundest(ordered[cut - 1], ordered[cut]) for cut in sorted(cuts))


def _nearest_change(ordered: NDArray[np.float64], share: float) -> int:
    """How many numbers lie below the edge that is nearest to having ``share`` of them below; 0 or n is no edge."""
    if not len(ordered):
        return 0
    value = ordered[min(int(share), len(ordered) - 1)]
    before, after = (int(np.searchsorted(ordered, value, side)) for side in ("left", "right"))
    return before if share - before <= after - share else after


def _roundest(below: float, above: float) -> float:
    """The number of fewest digits in (below, above]."""
    for digits in range(1, MOST_DIGITS):
        for near in (above, below / 2 + above / 2):
            candidate = float(f"{near:.{digits}g}")
            if below < candidate <= above:
                return candidate
    return float(above)


def _bin_names(edges: Sequence[float]) -> tuple[str, ...]:
    shown = [short(edge) for edge in edges]
    between = [f"[{lower}, {upper})" for lower, upper in itertools.pairwise(shown)]
    return (f"<{shown[0]}", *between, f"≥{shown[-1]}")


def _cut(values: NDArray[np.float64], edges: Sequence[float], names: tuple[str, ...]) -> Levels:
    absent = np.isnan(values)
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right").astype(np.int64)
    if not absent.any():
        return Levels(codes=codes, names=names)
    return Levels(codes=np.where(absent, 0, codes + 1), names=(MISSING, *names))
