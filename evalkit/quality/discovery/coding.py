"""A column as small numbers, one a value: what the search reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.binning import binned, quantile_edges, quantiles
from evalkit.data.levels import Levels, distinct_values, levels_of
from evalkit.data.numbers import numbers_of
from evalkit.errors import DataError

MOST_VALUES = 30
OTHER = "(other)"
NEARLY_ALL_WORDS = 0.5
NEARLY_ALL_INTEGERS = 0.9
QUARTERS = 4
TENTHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """``codes`` [n] number the ``values``."""

    column: str
    codes: NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A column that is not searched, and why."""

    column: str
    reason: str


def code_column(series: pd.Series, column: str) -> Coded | Skipped:
    """Values where there are few, bins where there are many numbers; a missing value is one of its own.

    Numbers are cut at the quartiles and at the first and last tenth, so that a bad tail is seen by itself. Of more
    than 30 words the rare ones are pooled. Skipped are columns that hold lists, those with one value, and those in
    which (nearly) every row has its own: half of the rows for words, nine tenths for whole numbers.
    """
    try:
        codes, distinct = distinct_values(series, column)
    except DataError:
        return Skipped(column=column, reason="it holds lists")
    if len(distinct) <= MOST_VALUES:
        return as_coded(column, levels_of(series, column))
    share = len(distinct) / int((codes >= 0).sum())
    numbers = _numbers(series, column)
    if numbers is None:
        return _identifier(column, len(distinct)) if share > NEARLY_ALL_WORDS else _pooled(column, series, codes)
    known = np.sort(numbers[~np.isnan(numbers)])
    if share > NEARLY_ALL_INTEGERS and np.all(np.mod(known, 1) == 0):
        return _identifier(column, len(distinct))
    return as_coded(column, binned(series, _edges(known), column))


def code_quartiles(numbers: NDArray[np.float64], column: str) -> Coded | Skipped:
    """Quarters of ``numbers`` [n]; a NaN is a missing value."""
    return as_coded(column, quantiles(pd.Series(numbers), QUARTERS, column))


def as_coded(column: str, levels: Levels) -> Coded | Skipped:
    """The levels, or that there is only one."""
    if len(levels.names) < 2:
        return Skipped(column=column, reason="it has one value only")
    return Coded(column=column, codes=levels.codes.astype(np.int32), values=levels.names)


def _edges(known: NDArray[np.float64]) -> tuple[float, ...]:
    tenths = quantile_edges(known, TENTHS)
    return tuple(sorted({*quantile_edges(known, QUARTERS), *tenths[:1], *tenths[-1:]}))


def _pooled(column: str, series: pd.Series, codes: NDArray[np.int64]) -> Coded | Skipped:
    """The 29 most frequent values and one for all others; of equally frequent ones those met first stay."""
    counts = np.bincount(codes[codes >= 0])
    frequent = np.argsort(-counts, kind="stable")[: MOST_VALUES - 1]
    rare = (codes >= 0) & ~np.isin(codes, frequent)
    return as_coded(column, levels_of(series.astype("object").mask(rare, OTHER), column))


def _numbers(series: pd.Series, column: str) -> NDArray[np.float64] | None:
    """The column as numbers, NaN where missing; None unless every value is one. A CSV's numbers are words."""
    try:
        return numbers_of(series, column)
    except DataError:
        return None


def _identifier(column: str, distinct: int) -> Skipped:
    return Skipped(column=column, reason=f"nearly every row has its own value ({distinct:,} values)")
