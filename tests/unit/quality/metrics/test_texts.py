"""Metrics of answered texts: values by hand, and sacrebleu's own."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from evalkit.errors import EvalkitError
from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import described, metric, names


def answers(truth, predicted):
    return Answered(
        model="student",
        labels=(),
        truth=np.array(truth, dtype=object),
        predicted=np.array(predicted, dtype=object),
    )


def value(name, truth, predicted):
    return metric(name, "generation").value(answers(truth, predicted))


def test_exact_match_ignores_case_punctuation_articles_and_spaces_and_accuracy_does_not():
    """The examples of SQuAD's official evaluate-v1.1.py: normalize_answer."""
    truth, predicted = ["The Eiffel Tower", "a cat.", "dog"], ["eiffel  tower!", "cat", "dogs"]
    assert value("exact_match", truth, predicted) == pytest.approx(2 / 3)
    assert value("accuracy", truth, predicted) == 0.0


def test_token_f1_by_hand():
    """Shared words: new, york; 2 · 2 / (2 + 4)."""
    assert value("token_f1", ["New York"], ["the city of New York"]) == pytest.approx(2 * 2 / (2 + 4), abs=1e-12)


@pytest.mark.parametrize("name", ["token_f1", "rouge_l"])
@pytest.mark.parametrize(("answer", "expected"), [("...", 1.0), ("word", 0.0)])
def test_texts_without_words_agree_only_with_each_other(name, answer, expected):
    assert value(name, ["?!"], [answer]) == expected


def test_rouge_l_is_that_of_lin_2004():
    """Section 3.1: of "police killed the gunman", S2 shares "police … the gunman", S3 "the gunman"."""
    reference = "police killed the gunman"
    assert value("rouge_l", [reference], ["police kill the gunman"]) == pytest.approx(3 / 4, abs=1e-12)
    assert value("rouge_l", [reference], ["the gunman kill police"]) == pytest.approx(2 / 4, abs=1e-12)


def test_rouge_l_reads_other_scripts():
    assert value("rouge_l", ["кошка сидит"], ["кошка лежит"]) == pytest.approx(0.5, abs=1e-12)


TRUTH = [
    "The cat sat on the mat and looked at the dog.",
    "It is raining in the whole of the country today.",
    "Hello there, how are you doing?",
    "Nein.",
]
PREDICTED = [
    "A cat sat on the mat and looked at a dog.",
    "It rains in the country today.",
    "Hello there!",
    "Doch, aber sicher doch.",
]


@pytest.mark.parametrize("rows", [slice(0, 4), slice(0, 2), slice(2, 4), slice(3, 4)])
def test_bleu_and_chrf_are_sacrebleus(rows):
    truth, predicted = TRUTH[rows], PREDICTED[rows]
    assert value("bleu", truth, predicted) == pytest.approx(BLEU().corpus_score(predicted, [truth]).score, abs=1e-9)
    assert value("chrf", truth, predicted) == pytest.approx(CHRF().corpus_score(predicted, [truth]).score, abs=1e-9)


@pytest.mark.parametrize("predicted", [[""], ["zzz"], ["x"], ["the of and"], ["Hello there, how are you"]])
def test_bleu_and_chrf_of_hardly_anything_are_sacrebleus_too(predicted):
    truth = ["Hello there, how are you"]
    assert value("bleu", truth, predicted) == pytest.approx(BLEU().corpus_score(predicted, [truth]).score, abs=1e-9)
    assert value("chrf", truth, predicted) == pytest.approx(CHRF().corpus_score(predicted, [truth]).score, abs=1e-9)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_a_score_of_drawn_rows_is_that_of_the_drawn_texts(name):
    """What the bootstrap relies on: weighted sums are the sums of repeated rows."""
    found = metric(name, "generation")
    weights = np.array([2, 0, 1, 3])
    drawn = [number for number, often in enumerate(weights) for _ in range(often)]
    of_sums = found.finish(weights @ found.terms(answers(TRUTH, PREDICTED)))
    of_texts = value(name, [TRUTH[number] for number in drawn], [PREDICTED[number] for number in drawn])
    assert float(of_sums) == pytest.approx(of_texts, abs=1e-9)


@pytest.mark.parametrize(("name", "package"), [("bleu", "sacrebleu"), ("chrf", "sacrebleu"), ("rouge_l", "rapidfuzz")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EvalkitError, match=rf"{name} needs the package {package}.*evalkit-gate\[generation\]"):
        metric(name, "generation")
    assert len(described("generation")) == len(names("generation"))
