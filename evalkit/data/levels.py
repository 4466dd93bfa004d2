"""The distinct values of a column, in the order and under the names in which groups are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DataError

MISSING = "(missing)"
EMPTY = "(empty)"
MOST_GROUPS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """``codes`` [n] number each row's value among ``names``."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]


def levels_of(column: pd.Series, name: str) -> Levels:
    """A column's values by name: missing first, then numbers by size, then words.

    Two values of one name ("1" and 1) are one level; an empty text is named ``(empty)``. Raises DataError for more
    than 20,000 levels and for values that are lists. The rows are numbered before anything is named, so that a
    million of them cost no more than a few passes.
    """
    codes, distinct = distinct_values(column, f"subpopulations: {name}")
    refuse_too_many(len(distinct), name, len(column))
    texts = [_name(value) for value in distinct]
    absent = {MISSING} if (codes < 0).any() else set()
    names = tuple(sorted({*texts, *absent}, key=_by_number))
    position = {text: number for number, text in enumerate(names)}
    renumbered = np.array([*(position[text] for text in texts), position.get(MISSING, -1)], dtype=np.int64)
    return Levels(codes=renumbered[codes], names=names)


def distinct_values(column: pd.Series, name: str) -> tuple[NDArray[np.int64], list[object]]:
    """``codes`` [n] into the distinct values as they first appear; −1 where a value is missing.

    Raises DataError where a cell holds a list.
    """
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True).startswith("mixed"):
        column = column.map(_alone, na_action="ignore")  # 1 and True would count as one value
    try:
        codes, distinct = pd.factorize(column)
    except TypeError as error:
        raise DataError(f"{name} holds lists or objects; give one value a row, e.g. joined into one text") from error
    if isinstance(column.dtype, pd.CategoricalDtype):
        distinct = distinct.astype(object)
    return np.asarray(codes, dtype=np.int64), distinct.tolist()


def refuse_too_many(count: int, grouping: str, rows: int) -> None:
    """Raises DataError above 20,000 groups, the most that one gate judges."""
    if count > MOST_GROUPS:
        raise DataError(
            f"subpopulations: {grouping} splits {rows:,} rows into {count:,} groups; at most {MOST_GROUPS:,} are "
            "allowed in all. Bin the column (bins or quantiles), or leave it out"
        )


def _alone(value: object) -> object:
    """A value of a mixed column as text, so that only values of one name are one; lists stay lists."""
    return value if isinstance(value, list | dict | np.ndarray) else str(value)


def _name(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return MISSING
    text = str(value)
    return text if text.strip() else EMPTY


def _by_number(name: str) -> tuple[int, float, str]:
    if name == MISSING:
        return 0, 0.0, ""
    try:
        number = float(name)
    except ValueError:
        return 2, 0.0, name
    return (1, number, name) if math.isfinite(number) else (2, 0.0, name)
