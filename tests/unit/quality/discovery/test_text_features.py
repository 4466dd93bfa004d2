"""What the form of a text says: length, script, words that training has not seen, topic."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.quality.discovery.coding import Coded, Skipped
from evalkit.quality.discovery.text_features import NO_LETTERS, scripts, unseen_words, word_counts
from evalkit.quality.discovery.topics import topics


def shown(coded):
    assert isinstance(coded, Coded), coded
    return [coded.values[code] for code in coded.codes]


def test_lengths_are_quartiles_of_words():
    coded = word_counts([" ".join(["word"] * count) for count in range(1, 13)])
    assert coded.values == ("<4", "[4, 7)", "[7, 10)", "≥10")


def test_the_script_is_that_of_most_letters():
    texts = ["Привет, мир, hello", "hello world", "你好世界", "ありがとう世", "مرحبا", "123 !?", ""]
    names = ["Cyrillic", "Latin", "CJK", "Hiragana", "Arabic", NO_LETTERS, NO_LETTERS]
    assert shown(scripts(texts)) == names


def test_scripts_of_many_texts_are_told_apart_batch_by_batch():
    texts = ["hello"] * 15_000 + ["Привет"] * 15_000
    assert shown(scripts(texts)) == ["Latin"] * 15_000 + ["Cyrillic"] * 15_000


def test_one_script_is_left_out():
    assert isinstance(scripts(["hello", "world"]), Skipped)


def test_characters_outside_the_first_plane_and_broken_ones_are_counted_apart():
    assert shown(scripts(["𐐨𐐨𐐨", "\ud800 abc"])) == ["Deseret", "Latin"]


def test_unseen_words_are_those_of_no_training_text_whatever_their_case():
    seen = "the cat sat on a mat"
    coded = unseen_words(["The CAT sat"] * 6 + ["the dog ran off"] * 2, [seen])
    assert shown(coded)[0] != shown(coded)[-1]
    # dog, ran and off of four words
    assert coded.values == ("<0.4", "≥0.4")


def test_without_training_texts_unseen_words_are_left_out_and_it_says_so():
    skipped = unseen_words(["a", "b"], None)
    assert isinstance(skipped, Skipped)
    assert "no training texts" in skipped.reason


def subjects(rows, seed=0):
    rng = np.random.default_rng(seed)
    words = {subject: [f"{subject}{index}" for index in range(40)] for subject in ("order", "refund", "login")}
    which = rng.choice(list(words), rows)
    return [" ".join(rng.choice(words[subject], 8)) for subject in which], which


def test_topics_part_what_texts_are_about_and_are_named_by_their_words():
    texts, subject = subjects(900)
    names = np.array(shown(topics(texts, np.random.default_rng(1))))
    for name in set(names):
        inside = subject[names == name]
        assert (inside == inside[0]).mean() > 0.95
        assert all(word.startswith(inside[0]) for word in name.split())


def test_topics_are_the_same_for_the_same_seed():
    texts, _ = subjects(400)
    first, second = (topics(texts, np.random.default_rng(5)) for _ in range(2))
    assert first.values == second.values
    assert (first.codes == second.codes).all()


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([""] * 500, "1 different texts"),
        (["same words"] * 500, "1 different texts"),
        ([f"only{index}" for index in range(500)], "the texts share 0 words"),
        ([f"{index} !" for index in range(10_000, 10_500)], "the texts share 0 words"),
        ([f"你好{index}世界" for index in range(500)], "the texts share 0 words"),
    ],
)
def test_texts_without_topics_are_left_out_for_a_reason(texts, reason):
    skipped = topics(texts, np.random.default_rng(0))
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith(reason)
