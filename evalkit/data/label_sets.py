"""Cells that hold any number of labels: ``a|b``, or a list in JSONL and Parquet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.levels import distinct_values
from evalkit.errors import DataError

SEPARATOR = "|"
LISTS = (list, tuple, np.ndarray)
Cell = tuple[str, ...]


def label_sets(column: pd.Series, labels: Sequence[str], name: str, place: str = "row") -> NDArray[np.object_]:
    """Each cell [n] as ``a|b`` in the order of ``labels``; "" where it holds none.

    CSV cannot tell an empty cell from a missing one, so missing cells mean no label; but not in a column that says so
    in so many words elsewhere ("" or a list), nor in one where every cell is missing. Raises DataError for those, for
    a label that ``labels`` does not have, and for a label that stands twice in one cell. ``name`` is how errors call
    the column, ``place`` how they call an entry of its index.
    """
    codes, distinct = _distinct_lists(column) if _holds_lists(column) else distinct_values(column, name)
    _refuse_missing(codes, distinct, column, name, place)
    order = {label: number for number, label in enumerate(labels)}
    canonical: list[str] = []
    for number, cell in enumerate(distinct):
        parts = _parts(cell)
        problem = _problem(parts, order)
        if problem:
            where = column.index[int(np.argmax(codes == number))]
            raise DataError(f"{name} holds {SEPARATOR.join(parts)!r}, {problem} ({place} {where})")
        canonical.append(SEPARATOR.join(sorted(parts, key=order.__getitem__)))
    return np.array([*canonical, ""], dtype=object)[codes]


def _holds_lists(column: pd.Series) -> bool:
    return column.dtype == object and any(isinstance(cell, LISTS) for cell in column)


def _distinct_lists(column: pd.Series) -> tuple[NDArray[np.int64], list[object]]:
    """The same as ``distinct_values`` with each list as a tuple."""
    cells = [tuple(map(str, cell)) if isinstance(cell, LISTS) else None if pd.isna(cell) else cell for cell in column]
    number = {cell: index for index, cell in enumerate(dict.fromkeys(cell for cell in cells if cell is not None))}
    codes = [-1 if cell is None else number[cell] for cell in cells]
    return np.array(codes, dtype=np.int64), list(number)


def _parts(cell: object) -> Cell:
    if isinstance(cell, tuple):
        return cell
    text = str(cell).strip()
    return tuple(part.strip() for part in text.split(SEPARATOR)) if text else ()


def _problem(parts: Cell, order: dict[str, int]) -> str | None:
    unknown = [part for part in parts if part not in order]
    if unknown:
        return f"and task.labels does not name {unknown[0]!r}; task.labels is {', '.join(order)}"
    twice = [part for part in parts if parts.count(part) > 1]
    return f"which names {twice[0]} twice; name each label once" if twice else None


def _refuse_missing(
    codes: NDArray[np.int64], distinct: Sequence[object], column: pd.Series, name: str, place: str
) -> None:
    absent = codes < 0
    if not absent.any():
        return
    where = f"{place} {column.index[int(np.argmax(absent))]}"
    if absent.all():
        raise DataError(f"{name} is empty in every row; give each row its labels, separated by {SEPARATOR}")
    if any(isinstance(cell, tuple) or not str(cell).strip() for cell in distinct):
        raise DataError(
            f"{name} is missing in {int(absent.sum())} rows (first: {where}) though other rows say that they have no "
            "label; write an empty text or list where there is none, and leave unlabelled rows out"
        )
