"""TF-IDF with logistic regression: the control that costs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import DataError
from evalkit.students.tfidf import tfidf_answers
from tests.tiny_classifiers import LABELS, texts_and_labels


def test_it_learns_the_words_of_each_label_and_answers_the_same_every_time() -> None:
    train, asked = texts_and_labels(300, seed=1), texts_and_labels(200, seed=2)
    numbers, truth = (np.array([LABELS.index(each) for each in table["label"]]) for table in (train, asked))
    texts = asked["text"].tolist()
    first, second = (tfidf_answers(train["text"].tolist(), numbers, texts) for _ in range(2))
    assert first.converged
    assert (first.answers == truth).mean() > 0.95
    np.testing.assert_array_equal(first.answers, second.answers)


def test_one_label_or_no_word_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match="needs training rows of two labels or more"):
        tfidf_answers(["some text", "more text"], np.array([1, 1]), ["text"])
    with pytest.raises(DataError, match=r"finds no word of two letters in data\.train"):
        tfidf_answers(["a", "b"], np.array([0, 1]), ["text"])
