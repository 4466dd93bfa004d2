"""Which rows go on to the teacher, and what the mix then answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cascade.mix import mixed, thresholds, top_probability
from evalkit.quality.paired_gap import GAP, paired_measurements
from evalkit.stats.interval import Interval
from tests.unit.cascade.planted import LABELS, planted


def test_a_sent_row_has_the_teachers_answer_and_probabilities_and_a_kept_row_the_students():
    table = planted(50, lambda confidence: 0.5 + 0 * confidence, seed=1)
    sent = np.arange(50) % 2 == 0
    mix = mixed(table, LABELS, sent)
    for name in ("", "_probability_no", "_probability_yes"):
        assert (mix[f"student{name}"][sent] == table[f"teacher{name}"][sent]).all()
        assert (mix[f"student{name}"][~sent] == table[f"student{name}"][~sent]).all()
    assert mix.drop(columns=[c for c in mix if c.startswith("student")]).equals(
        table.drop(columns=[c for c in table if c.startswith("student")])
    )


def test_the_gap_of_the_mix_is_the_gap_of_the_kept_rows_times_their_share():
    table = planted(1000, lambda confidence: 1 - confidence, seed=2)
    sent = top_probability(table, LABELS) < 0.7
    whole, kept = (
        next(each.value for each in paired_measurements(rows, (), None, 0.9) if each.name == GAP)
        for rows in (mixed(table, LABELS, sent), table[~sent])
    )
    assert isinstance(whole, Interval)
    assert isinstance(kept, Interval)
    assert whole.point == pytest.approx(kept.point * (~sent).mean())


def test_without_the_teachers_probabilities_the_mix_has_none():
    table = planted(20, lambda confidence: 0 * confidence, seed=1).drop(columns=["teacher_probability_no"])
    assert top_probability(mixed(table, LABELS, np.ones(20, dtype=bool)), LABELS) is None


def test_without_the_students_probabilities_nothing_says_what_it_is_unsure_of():
    table = pd.DataFrame({"row_label": ["no"], "student": ["no"], "teacher": ["no"]})
    assert top_probability(table, LABELS) is None
    assert top_probability(table, ()) is None


@given(st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.9, 1.0]), min_size=1, max_size=60))
def test_thresholds_fall_each_sends_other_rows_and_none_sends_none_or_all(values: list[float]):
    confidence = np.array(values)
    found = thresholds(confidence)
    sent = [int((confidence < each).sum()) for each in found]
    assert sent == sorted(set(sent), reverse=True)
    assert all(0 < each < len(values) for each in sent)
