"""Labels from an API teacher's words: exactly a label, or none; masses that always add up to 1."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.teachers.reading import from_samples, from_top_logprobs, label_of


def place(chosen, **shares):
    return chosen, tuple((token, math.log(share)) for token, share in shares.items())


@pytest.mark.parametrize("text", ["Yes", "yes.", "yes no", "", "ye", "label: yes"])
def test_an_answer_that_is_not_exactly_a_label_is_none(text):
    assert label_of(text, ("no", "yes")) is None


def test_what_the_api_did_not_list_is_missing_and_what_begins_no_label_is_outside():
    read = from_top_logprobs((place("yes", yes=0.6, no=0.2, maybe=0.1),), ("no", "yes"))
    assert read.masses.tolist() == pytest.approx([0.2, 0.6])
    assert read.outside == pytest.approx(0.1)
    assert read.missing == pytest.approx(0.1)


def test_labels_that_begin_alike_are_told_apart_at_the_next_token():
    tokens = (place("ne", ne=0.8, positive=0.2), place("gative", gative=0.75, utral=0.25))
    read = from_top_logprobs(tokens, ("negative", "neutral", "positive"))
    assert read.masses.tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert read.missing == pytest.approx(0.0, abs=1e-12)


def test_a_shared_beginning_that_was_not_chosen_is_missing():
    read = from_top_logprobs((place("positive", positive=0.7, ne=0.3),), ("negative", "neutral", "positive"))
    assert read.masses.tolist() == pytest.approx([0.0, 0.0, 0.7])
    assert read.missing == pytest.approx(0.3)


def test_an_empty_token_and_spaces_are_read_on():
    read = from_top_logprobs((place(" ", **{" ": 1.0}), place("yes", yes=0.9)), ("no", "yes"))
    assert read.masses.tolist() == pytest.approx([0.0, 0.9])


def test_without_tokens_everything_is_missing():
    read = from_top_logprobs(None, ("no", "yes"))
    assert (read.masses.sum(), read.outside, read.missing) == (0.0, 0.0, 1.0)


TOKENS = st.sampled_from(["n", "no", "y", "yes", "ne", " ", "x", ""])
LISTED = st.lists(st.tuples(TOKENS, st.floats(-20, 0.1)), max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["n", "no", "y", " "]), LISTED.map(tuple)), max_size=3).map(tuple))
def test_the_masses_add_up_to_1_whatever_is_listed(tokens):
    read = from_top_logprobs(tokens, ("no", "none", "yes"))
    assert float(read.masses.sum()) + read.outside + read.missing == pytest.approx(1.0)
    assert min(*read.masses, read.outside, read.missing) >= 0.0


def test_samples_vote_with_smoothing_and_answers_outside_do_not_vote():
    shares, outside = from_samples(["yes"] * 3 + ["no"] + ["what?"], ("no", "yes"), alpha=1.0)
    assert shares.tolist() == pytest.approx([2 / 6, 4 / 6])  # (votes + 1) / (4 + 2)
    assert outside == 1
