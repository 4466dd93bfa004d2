"""Ranking: the items of one query are ranked against each other, and a query is one unit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.levels import MISSING, Levels, distinct_values
from evalkit.errors import DataError

NAME = "data.held_out"


def queries_of(table: pd.DataFrame, column: str) -> Levels:
    """The query of each item, in the order in which queries first appear. Raises DataError for an item without one."""
    codes, distinct = distinct_values(table[column], f"{NAME} column '{column}'")
    texts = [str(value) for value in distinct]
    absent = (codes < 0) | np.array([*(not text.strip() for text in texts), True], dtype=np.bool_)[codes]
    if absent.any():
        raise DataError(
            f"{NAME} column '{column}' is empty in {int(absent.sum())} rows (first: row {int(np.argmax(absent))}); "
            "say which query each item belongs to"
        )
    names = tuple(dict.fromkeys(texts))
    position = {text: number for number, text in enumerate(names)}
    renumbered = np.array([position[text] for text in texts], dtype=np.int64)
    return Levels(codes=renumbered[codes], names=names)


def refuse_unrankable(relevance: NDArray[np.float64], queries: Levels, column: str) -> None:
    """Raises DataError for queries in which no ranking is better than another: a single item, none relevant, or all
    as relevant as each other. Every model ranks those rightly, so that they would only thin out what it does wrong."""
    items = np.bincount(queries.codes, minlength=len(queries.names))
    best, worst = highest(relevance, queries), lowest(relevance, queries)
    for wrong, what in (
        (items < 2, "have a single item"),
        (best <= 0, "have no relevant item (relevance above 0)"),
        (best == worst, "have items of one relevance only"),
    ):
        if wrong.any():
            first = queries.names[int(np.argmax(wrong))]
            raise DataError(
                f"{NAME}: {int(wrong.sum())} of {len(items)} queries {what} (first: {column} {first}), so every "
                "ranking of theirs is as good as any other; leave them out"
            )


def refuse_split_queries(table: pd.DataFrame, queries: Levels, cluster: str) -> None:
    """Raises DataError where items of one query lie in different clusters."""
    if cluster not in same_in_each(table, [cluster], queries):
        raise DataError(
            f"{NAME}: items of one query lie in different clusters of '{cluster}'; a query is one unit and must lie in "
            "one cluster"
        )


def highest(values: NDArray[np.float64], queries: Levels) -> NDArray[np.float64]:
    """The highest value of each query [queries]."""
    found = np.full(len(queries.names), -np.inf)
    np.maximum.at(found, queries.codes, values)
    return found


def lowest(values: NDArray[np.float64], queries: Levels) -> NDArray[np.float64]:
    """The lowest value of each query [queries]."""
    return -highest(-values, queries)


def same_in_each(table: pd.DataFrame, columns: Iterable[str], queries: Levels) -> list[str]:
    """Those of ``columns`` whose value is the same for all items of a query, missing counting as a value."""
    return [column for column in columns if _is_same(table[column], queries)]


def first_items(queries: Levels) -> NDArray[np.int64]:
    """The row of each query's first item [queries]."""
    return np.unique(queries.codes, return_index=True)[1].astype(np.int64)


def _is_same(column: pd.Series, queries: Levels) -> bool:
    try:
        codes, _ = distinct_values(column, MISSING)
    except DataError:
        return False  # lists
    return bool((codes == codes[first_items(queries)][queries.codes]).all())
