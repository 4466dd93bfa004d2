"""Metrics of ranked items, one value a query, averaged over queries: a query is the unit.

Queries without any relevant item say nothing of a ranking and are left out, for teacher and student alike.
"""

from __future__ import annotations

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, FloatArray, IntArray, Summed, mean, ratio

NO_RELEVANT_ITEM = "no query has a relevant item"


def ndcg_at(k: int) -> Summed:
    """Normalised discounted cumulative gain of the first k items (Järvelin & Kekäläinen 2002, ACM TOIS 20, 422–446):
    the gain is the relevance itself, the discount log2(rank + 1), and items of equal score share the places that
    they take (McSherry & Najork 2008), as in scikit-learn."""

    def terms(answered: Answered) -> FloatArray:
        attained = _gain(answered, answered.predicted, k)
        return _mean_terms(attained, _gain(answered, answered.truth, k))

    return Summed(
        name=f"ndcg@{k}",
        meaning="normalised discounted cumulative gain of the first k items, averaged over queries",
        unit="mean nDCG",
        higher_is_better=True,
        range=SHARES,
        undefined=NO_RELEVANT_ITEM,
        terms=terms,
        finish=mean,
    )


def mrr() -> Summed:
    """Mean reciprocal rank of the first relevant item (relevance above 0; Voorhees 1999, TREC-8). Items scored as
    high as it count as before it."""

    def terms(answered: Answered) -> FloatArray:
        query, count = queries_of(answered)
        relevant = answered.truth > 0
        best = np.full(count, -np.inf)
        np.maximum.at(best, query[relevant], answered.predicted[relevant])
        rank = np.bincount(query, answered.predicted >= best[query], minlength=count)
        return _mean_terms(np.isfinite(best).astype(np.float64), np.where(np.isfinite(best), rank, 0.0))

    return Summed(
        name="mrr",
        meaning="1 ÷ rank of the first relevant item, averaged over queries",
        unit="mean reciprocal rank",
        higher_is_better=True,
        range=SHARES,
        undefined=NO_RELEVANT_ITEM,
        terms=terms,
        finish=mean,
    )


def queries_of(answered: Answered) -> tuple[IntArray, int]:
    """The query of each item, [n], and how many queries there are."""
    queries = np.zeros(0, dtype=np.int64) if answered.queries is None else answered.queries
    return queries, int(queries.max(initial=-1)) + 1


def _gain(answered: Answered, scores: FloatArray, k: int) -> FloatArray:
    """Discounted relevance of each query's first k items in order of falling ``scores`` [n], [queries]."""
    query, count = queries_of(answered)
    order = np.lexsort((-scores, query))
    ordered, score = query[order], scores[order]
    new_query = np.diff(ordered, prepend=-1) != 0
    tied = np.cumsum(new_query | (np.diff(score, prepend=np.nan) != 0)) - 1
    shared = ratio(np.bincount(tied, answered.truth[order]), np.bincount(tied))
    place = np.arange(len(order)) - np.flatnonzero(new_query)[ordered]
    discount = np.where(place < k, 1 / np.log2(place + 2), 0.0)
    return np.asarray(np.bincount(ordered, shared[tied] * discount, minlength=count), dtype=np.float64)


def _mean_terms(attained: FloatArray, possible: FloatArray) -> FloatArray:
    """Terms of the mean of attained ÷ possible over the queries where anything is possible, [queries, 2]."""
    defined = possible > 0
    return np.stack([np.where(defined, ratio(attained, possible), 0.0), defined], axis=1)
