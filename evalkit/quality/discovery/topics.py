"""Texts grouped by what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.discovery.coding import Coded, Skipped

TOPIC = "@topic"
TOPICS = 8
FEWEST_TEXTS = 200
MOST_TO_LEARN_FROM = 20_000
MOST_WORDS = 20_000
DIMENSIONS = 32
TERMS = 3


def topics(texts: Sequence[str], rng: np.random.Generator) -> Coded | Skipped:
    """Eight clusters of TF-IDF, reduced to 32 dimensions, each named by the three words that set it apart most.

    Learnt from at most 20,000 texts, drawn by ``rng``, without looking at any model's answers. Skipped where fewer
    than 200 texts differ or they share too few words.
    """
    different = len(set(texts))
    if different < FEWEST_TEXTS:
        return Skipped(column=TOPIC, reason=f"{different} different texts; topics need {FEWEST_TEXTS}")
    drawn = np.sort(rng.permutation(len(texts))[:MOST_TO_LEARN_FROM])
    seed = int(rng.integers(2**31))
    weights, terms = _weights(texts, [texts[index] for index in drawn])
    if len(terms) <= DIMENSIONS:
        return Skipped(column=TOPIC, reason=f"the texts share {len(terms)} words; topics need {DIMENSIONS + 1}")
    found = _clusters(weights, drawn, seed)
    used, codes = np.unique(found, return_inverse=True)
    if len(used) < 2:
        return Skipped(column=TOPIC, reason="the texts are all of one topic")
    return Coded(column=TOPIC, codes=codes.astype(np.int32), values=_names(weights, codes, len(used), terms))


def _weights(texts: Sequence[str], learn_from: Sequence[str]) -> tuple[Any, NDArray[np.object_]]:
    """TF-IDF [n, words] as a sparse matrix, and the words; no words where no word is in three texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer(
        token_pattern=r"\b\w\w+\b",
        sublinear_tf=True,
        min_df=3,
        max_df=0.5,
        max_features=MOST_WORDS,
        dtype=np.float32,
    )
    try:
        model.fit(learn_from)
    except ValueError:  # scikit-learn's "no terms remain", or "empty vocabulary"
        return None, np.zeros(0, dtype=object)
    return model.transform(texts), model.get_feature_names_out()


def _clusters(weights: Any, drawn: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    reduction = TruncatedSVD(DIMENSIONS, random_state=seed).fit(weights[drawn])
    places = normalize(reduction.transform(weights))
    different = len(np.unique(places[drawn].round(6), axis=0))
    model = MiniBatchKMeans(min(TOPICS, different), random_state=seed, n_init=3, batch_size=2048)
    return np.asarray(model.fit(places[drawn]).predict(places), dtype=np.int64)


def _names(weights: Any, codes: NDArray[np.int64], number: int, terms: NDArray[np.object_]) -> tuple[str, ...]:
    """The words whose mean weight in the topic is farthest above that in all texts; a second topic of the same
    name gets its number."""
    everywhere = np.asarray(weights.mean(0)).ravel()
    names: list[str] = []
    for topic in range(number):
        ahead = np.asarray(weights[codes == topic].mean(0)).ravel() - everywhere
        name = " ".join(terms[np.argsort(-ahead, kind="stable")[:TERMS]])
        names.append(name if name not in names else f"{name} ({topic})")
    return tuple(names)
