"""A column read as numbers, or an error that names the value that is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.levels import distinct_values
from evalkit.errors import DataError


def numbers_of(column: pd.Series, name: str, place: str = "row") -> NDArray[np.float64]:
    """The column's numbers [n], NaN where a value is missing. A text that reads as a number is one.

    Raises DataError for the first value that is no number (True, "n/a", a date) or not finite; ``name`` is how the
    error calls the column, ``place`` how it calls an entry of the column's index ("row 7", "id a7").
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    elif pd.api.types.is_string_dtype(column):  # every value is text
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        codes, distinct = distinct_values(column, name)
        values = np.array([*_read(distinct), math.nan])[codes]
    wrong = ~np.isfinite(values) & column.notna().to_numpy()
    if wrong.any():
        first = int(np.argmax(wrong))
        what = "not finite" if np.isinf(values[first]) else "not a number"
        raise DataError(
            f"{name} holds {str(column.iloc[first])!r}, which is {what} ({place} {column.index[first]}); "
            "correct it, or leave the cell empty where nothing is known"
        )
    return values


def short(number: float) -> str:
    """A number as briefly as it can be written without changing it.

    >>> [short(number) for number in (18.0, 0.1, 1e6, 1e300)]
    ['18', '0.1', '1000000', '1e+300']
    """
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def _read(values: Iterable[object]) -> Iterable[float]:
    """NaN for what is no number."""
    for value in values:
        try:
            is_number = isinstance(value, str | int | float | np.number | Decimal) and not isinstance(value, bool)
            yield float(value) if is_number and "_" not in str(value) else math.nan  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            yield math.nan
