"""Metrics of answered texts against one reference text, row by row.

Words are compared as SQuAD does it (Rajpurkar et al. 2016, the official evaluate-v1.1.py): lower case, without
ASCII punctuation, without the English articles a, an and the, split at white space.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.metric import SHARES, BoolArray, FloatArray, Summed, mean, share, with_ones

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+")


def accuracy() -> Summed:
    """Share of rows answered with exactly the reference text."""
    return share("accuracy", "share of rows answered with exactly the reference text", _same)


def exact_match() -> Summed:
    """Share of rows whose answer is the reference but for case, punctuation, articles and spaces."""
    return share("exact_match", "share of answers that are the reference but for case, punctuation, articles", _match)


def token_f1() -> Summed:
    """F1 of the words of answer and reference, averaged over rows; 1 where both have none, 0 where one has none."""
    return Summed(
        name="token_f1",
        meaning="F1 of the words of answer and reference, averaged over rows",
        unit="mean F1",
        higher_is_better=True,
        range=SHARES,
        terms=lambda answered: with_ones(_by_row(answered, _token_f1)),
        finish=mean,
    )


def rouge_l() -> Summed:
    """F-measure of the longest common subsequence of words (Lin 2004, "ROUGE", section 3, β = 1), averaged over rows.

    Words are runs of letters, digits and _ in any script, in lower case and not stemmed. A script written without
    spaces makes one word of a whole phrase.
    """
    return Summed(
        name="rouge_l",
        meaning="F-measure of the longest common subsequence of words, averaged over rows",
        unit="mean F-measure",
        higher_is_better=True,
        range=SHARES,
        package="rapidfuzz",
        terms=lambda answered: with_ones(_by_row(answered, _rouge_l)),
        finish=mean,
    )


def words(text: str) -> list[str]:
    """The words of a text as SQuAD compares them.

    >>> words("The cat, a  CAT!")
    ['cat', 'cat']
    """
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def _same(answered: Answered) -> BoolArray:
    return np.asarray(answered.truth == answered.predicted, dtype=np.bool_)


def _match(answered: Answered) -> BoolArray:
    pairs = zip(answered.truth, answered.predicted, strict=True)
    return np.array([words(truth) == words(answer) for truth, answer in pairs], dtype=np.bool_)


def _token_f1(truth: str, answer: str) -> float:
    reference, answered = words(truth), words(answer)
    if not reference or not answered:
        return float(reference == answered)
    shared = (Counter(reference) & Counter(answered)).total()
    return 2 * shared / (len(reference) + len(answered))


def _rouge_l(truth: str, answer: str) -> float:
    from rapidfuzz.distance import LCSseq

    reference, answered = _WORD.findall(truth.lower()), _WORD.findall(answer.lower())
    if not reference or not answered:
        return float(reference == answered)
    return 2 * LCSseq.similarity(reference, answered) / (len(reference) + len(answered))


def _by_row(answered: Answered, score: Callable[[str, str], float]) -> FloatArray:
    """A score of reference and answer, [n]."""
    return np.fromiter(map(score, answered.truth, answered.predicted), dtype=np.float64, count=len(answered))
