"""The two-sample test answers for every language and every odd corpus, and its area is the AUC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from evalkit.diagnosis.distribution_mismatch import FEWEST_TEXTS, MOST_TEXTS, area, distribution_mismatch
from evalkit.diagnosis.finding import Finding
from evalkit.stats.interval import Interval, NotEstimable

HAN = [chr(0x4E00 + number) for number in range(600)]


def mismatch(held_out: list[str], production: list[str]) -> Finding:
    return distribution_mismatch(held_out, production, 0.9, np.random.default_rng(1))


def written_without_spaces(characters: list[str], texts: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(characters, 12)) for _ in range(texts)]


def test_another_topic_in_a_script_without_spaces_fires() -> None:
    assert mismatch(written_without_spaces(HAN[:300], 250, 1), written_without_spaces(HAN[300:], 250, 2)).fired


def test_the_same_topic_in_a_script_without_spaces_does_not() -> None:
    finding = mismatch(written_without_spaces(HAN, 250, 1), written_without_spaces(HAN, 250, 2))
    assert not finding.fired


@pytest.mark.parametrize("texts", [["5"] * 250, ["!?"] * 250, ["ok"] * 250], ids=["digits", "signs", "one word"])
def test_texts_without_a_single_telling_word_do_not_break_the_gate(texts: list[str]) -> None:
    assert not mismatch(texts, texts).fired


@pytest.mark.parametrize(("held_out", "production"), [(FEWEST_TEXTS - 1, 500), (500, FEWEST_TEXTS - 1), (0, 500)])
def test_one_text_less_than_the_fewest_on_either_side_is_not_estimable(held_out: int, production: int) -> None:
    value = mismatch(["some text"] * held_out, ["other words"] * production).measurement.value
    assert isinstance(value, NotEstimable)
    assert value.n_needed == FEWEST_TEXTS


def test_the_fewest_texts_are_enough() -> None:
    finding = mismatch(["good film here"] * FEWEST_TEXTS, ["new tax vote"] * FEWEST_TEXTS)
    assert isinstance(finding.measurement.value, Interval)
    assert finding.fired


def test_at_most_two_thousand_texts_of_each_side_are_looked_at() -> None:
    value = mismatch(["good film here"] * (MOST_TEXTS + 500), ["new tax vote"] * 300).measurement.value
    assert isinstance(value, Interval)
    assert value.n == MOST_TEXTS + 300


def test_the_same_seed_finds_the_same_interval() -> None:
    held_out, production = (written_without_spaces(["ab ", "cd ", "ef ", "gh "], 250, seed) for seed in (1, 2))
    assert mismatch(held_out, production) == mismatch(held_out, production)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_the_area_equals_that_of_scikit_learn(negative: list[int], positive: list[int]) -> None:
    sides = [0] * len(negative) + [1] * len(positive)
    expected = roc_auc_score(sides, negative + positive)
    assert area(np.array(negative, float), np.array(positive, float)) == pytest.approx(expected)
