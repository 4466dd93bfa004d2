"""The control that costs nothing: TF-IDF of words and pairs of words, with logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import DataError

INVERSE_PENALTY = 3.0
MOST_ITERATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TfidfAnswers:
    """Label numbers [texts], and whether the fit converged."""

    answers: NDArray[np.int64]
    converged: bool


def tfidf_answers(texts: Sequence[str], labels: NDArray[np.int64], asked: Sequence[str]) -> TfidfAnswers:
    """What a model fitted on ``texts`` with ``labels`` [texts] answers to ``asked``; the same every time.

    Logistic regression with an L2 penalty of 1 / 3 on TF-IDF with sublinear counts, else with scikit-learn's defaults.
    Raises DataError where the texts hold fewer than two labels, or no word of two letters.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if len(np.unique(labels)) < 2:
        raise DataError("controls: tfidf needs training rows of two labels or more; label more rows, or leave it out")
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_ITERATIONS),
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model.fit(texts, labels)
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            raise DataError("controls: tfidf finds no word of two letters in data.train; leave it out") from error
    unconverged = any(issubclass(each.category, ConvergenceWarning) for each in said)
    return TfidfAnswers(answers=np.asarray(model.predict(asked), dtype=np.int64), converged=not unconverged)
