"""The units that are judged right or wrong: rows, or in ranking whole queries."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import FIRST, OWN_COLUMNS
from evalkit.data.levels import Levels
from evalkit.data.queries import first_items, highest, lowest, queries_of, same_in_each
from evalkit.data.truth import RANKING
from evalkit.predictions.aligned import STUDENT, TEACHER

NOT_FIRST = "not first"


def unit_table(table: pd.DataFrame, kind: str, query_column: str | None) -> pd.DataFrame:
    """The aligned table with one row a unit. For ranking one row a query, in the order in which they first appear.

    There ``row_id`` is the query and ``row_label`` is "first"; ``teacher`` and ``student`` are "first" where the item
    scored highest has the query's highest relevance, else "not first". Of items that share the highest score the least
    relevant counts: a model that cannot tell them apart earns nothing by the order of the table. Other columns are
    kept where they are the same for all items of every query. For other kinds it is the table itself.
    """
    if kind != RANKING:
        return table
    assert query_column is not None
    queries = queries_of(table, query_column)
    relevance = table["row_label"].to_numpy(dtype=np.float64)
    own = [name for name in map(str, table.columns) if name not in OWN_COLUMNS]
    kept = table[same_in_each(table, own, queries)].iloc[first_items(queries)].reset_index(drop=True)
    units = pd.DataFrame({"row_id": np.asarray(queries.names, dtype=object), "row_label": FIRST})
    for model in (TEACHER, STUDENT):
        scores = table[model].to_numpy(dtype=np.float64)
        units[model] = np.where(_best_first(scores, relevance, queries), FIRST, NOT_FIRST)
    return pd.concat([units, kept], axis=1)


def _best_first(scores: NDArray[np.float64], relevance: NDArray[np.float64], queries: Levels) -> NDArray[np.bool_]:
    """Whether the least relevant of each query's top-scored items has its highest relevance [queries]."""
    on_top = scores == highest(scores, queries)[queries.codes]
    chosen = lowest(np.where(on_top, relevance, np.inf), queries)
    return np.asarray(chosen == highest(relevance, queries), dtype=np.bool_)
