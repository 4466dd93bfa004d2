"""What an API teacher's answers teach: which rows, and how likely each label is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.spec.gate import OUTSIDE
from evalkit.spec.teacher_api import SoftLabels
from evalkit.teachers.taught import taught_by

LABELS = ("no", "yes")
LISTED = SoftLabels(source="top_logprobs", least_listed=0.9)


def listed(*rows, answers=None):
    """Rows of (mass of no, mass of yes, outside, missing); the answer is the likelier one where none is given."""
    said = answers or ["no" if no >= yes else "yes" for no, yes, _, _ in rows]
    masses = np.array(rows, dtype=float)
    return pd.DataFrame(
        {"answer": said, "prediction": [each if each in (*LABELS, None) else OUTSIDE for each in said],
         "mass_no": masses[:, 0], "mass_yes": masses[:, 1], "mass_outside": masses[:, 2], "mass_missing": masses[:, 3]}
    )  # fmt: skip


def test_an_answer_outside_the_labels_and_none_at_all_teach_nothing_and_are_counted():
    table = pd.DataFrame({"answer": ["yes", "maybe", None, "no"], "prediction": ["yes", OUTSIDE, None, "no"]})
    made = taught_by(table, LABELS, None)
    assert made.rows.tolist() == [0, 3]
    assert made.probabilities.tolist() == [[0, 1], [1, 0]]
    assert made.left_out == {"unanswered": 1, "outside": 1}


def test_listed_mass_is_renormalised_over_the_labels_where_enough_of_it_is_listed():
    made = taught_by(listed((0.3, 0.6, 0.05, 0.05), (0.3, 0.5, 0.0, 0.2), (0.0, 0.0, 0.0, 1.0)), LABELS, LISTED)
    assert made.rows.tolist() == [0]
    assert made.probabilities[0] == pytest.approx([1 / 3, 2 / 3])
    assert made.left_out == {"unanswered": 0, "outside": 0, "too_little_listed": 2}


def test_mass_on_other_answers_is_known_and_so_not_missing():
    made = taught_by(listed((0.1, 0.3, 0.6, 0.0), answers=["yes"]), LABELS, LISTED)
    assert made.probabilities[0] == pytest.approx([0.25, 0.75])


def test_a_row_answered_outside_the_labels_teaches_nothing_even_where_labels_were_listed():
    with pytest.raises(
        DataError, match=r"none of the 1 training texts has an answer to learn from \(0 unanswered, 1 out"
    ):
        taught_by(listed((0.3, 0.3, 0.4, 0.0), answers=["maybe"]), LABELS, LISTED)


def test_an_answer_that_is_not_the_likeliest_label_is_counted():
    made = taught_by(listed((0.3, 0.7, 0.0, 0.0), (0.3, 0.7, 0.0, 0.0), answers=["no", "yes"]), LABELS, LISTED)
    assert (len(made.rows), made.unlike) == (2, 1)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 1), min_size=4, max_size=4),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.5, 1),
)
def test_no_probability_is_further_off_than_the_spec_says(parts, to_labels, to_first, least):
    """Whatever share of the missing mass is the labels' own, and however it is spread over them."""
    no, yes, outside, missing = np.array(parts) / sum(parts)
    soft = SoftLabels(source="top_logprobs", least_listed=least)
    try:
        made = taught_by(listed((no, yes, outside, missing)), LABELS, soft)
    except DataError:
        assert (no + yes) / (no + yes + missing) < least
        return
    found = to_labels * missing
    whole = np.array([no + to_first * found, yes + (1 - to_first) * found])
    assert np.abs(made.probabilities[0] - whole / whole.sum()).max() <= 1 - least + 1e-6


def test_of_several_samples_one_vote_for_a_label_is_enough():
    soft = SoftLabels(source="samples", samples=3, alpha=0.5)
    table = pd.DataFrame(
        {"answer": ["maybe", "maybe", None], "prediction": [OUTSIDE, OUTSIDE, None],
         "mass_no": [0.25, 0.5, 0.5], "mass_yes": [0.75, 0.5, 0.5],
         "votes_outside": [2, 3, 0], "votes_missing": [0, 0, 3]}
    )  # fmt: skip
    made = taught_by(table, LABELS, soft)
    assert made.rows.tolist() == [0]
    assert made.probabilities[0] == pytest.approx([0.25, 0.75])
    assert made.left_out == {"unanswered": 1, "outside": 1}
