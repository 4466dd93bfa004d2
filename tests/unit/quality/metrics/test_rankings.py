"""Metrics of rankings: one value a query, equal to scikit-learn's where it has one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import metric


def answers(relevance, scores, queries):
    return Answered(
        model="student",
        labels=(),
        truth=np.asarray(relevance, dtype=float),
        predicted=np.asarray(scores, dtype=float),
        queries=np.asarray(queries),
    )


def value(name, *columns):
    return metric(name, "ranking").value(answers(*columns))


def shuffled(rng, queries, items):
    relevance = rng.integers(0, 4, (queries, items)).astype(float)
    relevance[:, 0] = np.maximum(relevance[:, 0], 1.0)
    scores = rng.integers(0, 5, (queries, items)).astype(float)  # many ties
    numbers = np.repeat(np.arange(queries), items)
    order = rng.permutation(len(numbers))
    first_seen = {query: number for number, query in enumerate(dict.fromkeys(numbers[order]))}
    renumbered = np.array([first_seen[query] for query in numbers[order]])
    return relevance, scores, (relevance.ravel()[order], scores.ravel()[order], renumbered)


@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_ndcg_is_scikit_learns_with_ties_and_items_in_any_order(k):
    relevance, scores, columns = shuffled(np.random.default_rng(k), queries=40, items=12)
    assert value(f"ndcg@{k}", *columns) == pytest.approx(ndcg_score(relevance, scores, k=k), abs=1e-12)


def test_mrr_is_scikit_learns_average_precision_where_one_item_is_relevant():
    """With one relevant item both are 1 ÷ its rank, ties before it."""
    rng = np.random.default_rng(2)
    relevance = np.eye(6)[rng.integers(0, 6, 50)]
    scores = rng.integers(0, 4, (50, 6)).astype(float)
    expected = label_ranking_average_precision_score(relevance, scores)
    columns = (relevance.ravel(), scores.ravel(), np.repeat(np.arange(50), 6))
    assert value("mrr", *columns) == pytest.approx(expected, abs=1e-12)


def test_mrr_counts_the_first_relevant_item_of_several():
    """Query 0: relevant at ranks 2 and 3; query 1: at rank 1."""
    relevance, scores = [0, 1, 2, 1, 0], [0.9, 0.8, 0.7, 5.0, 1.0]
    assert value("mrr", relevance, scores, [0, 0, 0, 1, 1]) == pytest.approx((1 / 2 + 1) / 2, abs=1e-12)


@pytest.mark.parametrize("name", ["mrr", "ndcg@3"])
def test_a_query_without_a_relevant_item_is_left_out(name):
    relevance, scores, queries = [1, 0, 0, 0], [0.9, 0.1, 0.2, 0.8], [0, 0, 1, 1]
    assert value(name, relevance, scores, queries) == 1.0
    assert math.isnan(value(name, [0, 0], [0.1, 0.2], [0, 0]))
