"""Which production texts are least like anything that the student was taught."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_EXAMPLES = 5
MOST_SHOWN_CHARACTERS = 120


def least_covered(covering: Sequence[str], production: Sequence[str]) -> tuple[str, ...]:
    """The five ``production`` texts whose nearest ``covering`` text is farthest, each once and cut to 120 characters.

    Near is the cosine of TF-IDF of three characters inside words, for any script.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(text.strip() for text in covering):
        return tuple(dict.fromkeys(shown(text) for text in production))[:MOST_EXAMPLES]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True)
    taught = vectorizer.fit_transform(covering)
    nearest = (vectorizer.transform(production) @ taught.T).max(axis=1).toarray().ravel()
    farthest_first = np.argsort(nearest, kind="stable")
    return tuple(dict.fromkeys(shown(production[index]) for index in farthest_first))[:MOST_EXAMPLES]


def shown(text: str) -> str:
    """The text in quotation marks, cut short."""
    return f"“{text if len(text) <= MOST_SHOWN_CHARACTERS else text[: MOST_SHOWN_CHARACTERS - 1] + '…'}”"
