"""Every metric equals that of scikit-learn or sacrebleu on any rows, and on any weights of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sklearn.metrics import (
    brier_score_loss,
    f1_score,
    log_loss,
    ndcg_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import metric

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 120)
label_counts = st.integers(2, 6)


def classified(seed, rows, labels):
    """Some labels may not occur; probabilities are coarse, so that they tie, and away from 0 and 1."""
    rng = np.random.default_rng(seed)
    used = rng.integers(1, labels + 1)
    given = rng.integers(1, 6, (rows, labels)).astype(float)
    return Answered(
        model="student",
        labels=tuple("abcdef"[:labels]),
        truth=rng.integers(0, used, rows),
        predicted=rng.integers(0, labels, rows),
        probabilities=given / given.sum(axis=1, keepdims=True),
    )


def value(name, answers, kind="classification"):
    return metric(name, kind).value(answers)


@settings(deadline=None)
@given(seeds, sizes, label_counts)
def test_confusion_metrics_are_scikit_learns_over_the_labels_that_occur(seed, rows, labels):
    answers = classified(seed, rows, labels)
    occurring = np.unique(answers.truth)
    named = {"labels": occurring, "average": "macro", "zero_division": 0}
    assert value("macro_f1", answers) == pytest.approx(f1_score(answers.truth, answers.predicted, **named), abs=1e-12)
    recall = recall_score(answers.truth, answers.predicted, **named)
    assert value("balanced_accuracy", answers) == pytest.approx(recall, abs=1e-12)
    for number, label in enumerate(answers.labels):
        own = value(f"f1:{label}", answers)
        if number in occurring:
            assert own == pytest.approx(f1_score(answers.truth == number, answers.predicted == number), abs=1e-12)
        else:
            assert math.isnan(own)


@settings(deadline=None)
@given(seeds, sizes, label_counts)
def test_probability_metrics_are_scikit_learns(seed, rows, labels):
    answers = classified(seed, rows, labels)
    numbers = list(range(labels))
    expected = log_loss(answers.truth, answers.probabilities, labels=numbers)
    assert value("log_loss", answers) == pytest.approx(expected, abs=1e-12)
    squared = brier_score_loss(answers.truth, answers.probabilities, labels=numbers)
    assert value("brier", answers) == pytest.approx(squared, abs=1e-12)


@settings(deadline=None)
@given(seeds, sizes, st.integers(3, 6), st.integers(1, 2))
def test_top_k_is_scikit_learns_where_nothing_ties(seed, rows, labels, k):
    rng = np.random.default_rng(seed)
    given = rng.dirichlet(np.ones(labels), rows)
    answers = Answered(
        model="student",
        labels=tuple("abcdef"[:labels]),
        truth=rng.integers(0, labels, rows),
        predicted=given.argmax(axis=1),
        probabilities=given,
    )
    expected = top_k_accuracy_score(answers.truth, given, k=k, labels=list(range(labels)))
    assert value(f"top@{k}", answers) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(seeds, sizes, label_counts)
def test_auc_is_scikit_learns_for_any_weights_and_ties(seed, rows, labels):
    answers = classified(seed, rows, labels)
    weights = np.random.default_rng(seed).integers(0, 4, (5, rows)).astype(float)
    areas = metric("auc:a", "classification").prepare(answers)(weights)
    true = answers.truth == 0
    for own, often in zip(areas, weights, strict=True):
        if 0 < often[true].sum() < often.sum():
            drawn = often > 0
            expected = roc_auc_score(true[drawn], answers.probabilities[drawn, 0], sample_weight=often[drawn])
            assert own == pytest.approx(expected, abs=1e-12)
        else:
            assert math.isnan(own)


@settings(deadline=None)
@given(seeds, sizes, label_counts)
def test_ece_is_guos_sum_over_bins(seed, rows, labels):
    answers = classified(seed, rows, labels)
    confidence = answers.probabilities[np.arange(rows), answers.predicted]
    right = answers.predicted == answers.truth
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert value("ece", answers) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(seeds, st.integers(1, 12), st.integers(2, 9), st.integers(1, 12))
def test_ndcg_is_scikit_learns(seed, queries, items, k):
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 3, (queries, items)).astype(float)
    relevance[:, -1] = np.maximum(relevance[:, -1], 1)
    scores = rng.integers(0, 4, (queries, items)).astype(float)
    answers = Answered(
        model="student",
        labels=(),
        truth=relevance.ravel(),
        predicted=scores.ravel(),
        queries=np.repeat(np.arange(queries), items),
    )
    expected = ndcg_score(relevance, scores, k=k)
    assert value(f"ndcg@{k}", answers, "ranking") == pytest.approx(expected, abs=1e-12)


words = st.sampled_from(["the", "cat", "sat", "on", "mat", "a", "dog", "Ünder", "x.", "don't"])
sentences = st.lists(words, min_size=1, max_size=9).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(sentences, sentences), min_size=1, max_size=8))
def test_bleu_and_chrf_are_sacrebleus(pairs):
    truth, predicted = ([pair[side] for pair in pairs] for side in (0, 1))
    answers = Answered(
        model="student",
        labels=(),
        truth=np.array(truth, dtype=object),
        predicted=np.array(predicted, dtype=object),
    )
    expected = BLEU().corpus_score(predicted, [truth]).score
    assert value("bleu", answers, "generation") == pytest.approx(expected, abs=1e-9)
    expected = CHRF().corpus_score(predicted, [truth]).score
    assert value("chrf", answers, "generation") == pytest.approx(expected, abs=1e-9)
