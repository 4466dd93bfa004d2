"""The search finds the worst slices, whatever the loss, and refuses what it cannot count."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.quality.discovery.scores import EvidenceScore
from evalkit.quality.discovery.search import best_slices, search

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 4, (2000, 5)).astype(np.int32)


def signed(inside, seed=1):
    """Losses and gains in balance, with a loss of 0.3 on average inside."""
    rng = np.random.default_rng(seed)
    loss = rng.choice([-1.0, 0.0, 1.0], len(CODES), p=[0.05, 0.9, 0.05])
    return np.where(inside & (rng.random(len(CODES)) < 0.3), 1.0, loss)


def top(loss, **limits):
    return search(CODES, loss, min_rows=20, max_columns=limits.pop("max_columns", 2), **limits)


def test_the_score_is_slicelines_equation_1():
    codes = np.repeat([0, 1], [60, 40]).astype(np.int32)[:, None]
    loss = np.repeat([0.0, 1.0, 0.0], [60, 10, 30])
    found = search(codes, loss, min_rows=10, max_columns=1, alpha=0.9)
    # mean loss 10/100, in the slice 10/40, n/|S| = 100/40: 0.9 (2.5 − 1) − 0.1 (2.5 − 1)
    assert [each.score for each in found] == pytest.approx([1.2])
    assert (found[0].rows, found[0].mean_loss) == (40, 0.25)


def test_a_planted_value_comes_first():
    assert top(signed(CODES[:, 2] == 3))[0].conditions == ((2, 3),)


def test_a_planted_cross_comes_before_either_of_its_columns():
    cross = (CODES[:, 1] == 0) & (CODES[:, 4] == 2)
    assert top(signed(cross))[0].conditions == ((1, 0), (4, 2))


def test_a_planted_cross_of_three_is_found_only_when_three_columns_may_be_crossed():
    loss = np.where((CODES[:, 0] == 1) & (CODES[:, 1] == 0) & (CODES[:, 4] == 2), 1.0, signed(False))
    score = EvidenceScore.of(loss)
    found = [best_slices(CODES, loss, score, min_rows=10, max_columns=most, most=1)[0] for most in (2, 3)]
    assert len(found[0].conditions) == 2
    assert found[1].conditions == ((0, 1), (1, 0), (4, 2))


def test_where_the_student_gains_everywhere_the_slice_that_gains_least_loses_most():
    loss = np.where(CODES[:, 0] == 1, 0.0, -1.0)
    assert top(loss)[0].conditions == ((0, 1),)


def test_no_slice_has_fewer_rows_than_asked_for():
    loss = signed((CODES[:, 1] == 0) & (CODES[:, 4] == 2))
    found = search(CODES, loss, min_rows=300, max_columns=2)
    assert found
    assert min(each.rows for each in found) >= 300


def test_columns_that_are_apart_are_never_crossed():
    loss = signed((CODES[:, 1] == 0) & (CODES[:, 4] == 2))
    apart = frozenset([frozenset([1, 4])])
    limits = {"min_rows": 20, "max_columns": 3, "most": 500}
    crossed = [
        {column for column, _ in each.conditions}
        for each in best_slices(CODES, loss, EvidenceScore.of(loss), **limits, apart=apart)
    ]
    assert {1, 2} in crossed
    assert not any({1, 4} <= columns for columns in crossed)


@pytest.mark.parametrize("loss", [np.zeros(2000), np.ones(2000), -np.ones(2000)], ids=["none", "all", "gain"])
def test_a_loss_that_is_the_same_in_every_row_has_no_slices(loss):
    assert top(loss) == ()


def test_constant_columns_have_no_slices():
    assert search(np.zeros((200, 3), dtype=np.int32), np.tile([0.0, 1.0], 100), min_rows=10, max_columns=3) == ()


def test_no_columns_and_no_rows_have_no_slices():
    assert search(np.zeros((200, 0), dtype=np.int32), np.tile([0.0, 1.0], 100), min_rows=10, max_columns=2) == ()
    assert search(np.zeros((0, 2), dtype=np.int32), np.zeros(0), min_rows=10, max_columns=2) == ()


def test_equal_scores_come_in_the_order_of_columns_and_codes():
    codes = np.column_stack([CODES[:, 0]] * 3)
    loss = np.where(CODES[:, 0] == 1, 1.0, 0.0)
    found = search(codes, loss, min_rows=20, max_columns=2, most=3)
    assert [each.conditions for each in found] == [((0, 1),), ((1, 1),), ((2, 1),)]


def test_most_is_the_most_that_come_back():
    assert (
        len(best_slices(CODES, signed(False), EvidenceScore.of(signed(False)), min_rows=5, max_columns=2, most=7)) == 7
    )


@pytest.mark.parametrize(
    ("codes", "loss", "message"),
    [
        (CODES, np.zeros(7), "give \\[n, columns\\] and \\[n\\] of the same rows"),
        (CODES[:, 0], np.ones(2000), "give \\[n, columns\\]"),
        (CODES - 1, np.ones(2000), "codes holds -1; a code counts from 0"),
        (CODES, np.where(CODES[:, 0] == 1, np.nan, 1.0), "not finite"),
        (np.repeat(np.arange(200, dtype=np.int32), 20)[:, None], np.ones(4000), "200 values of at least 20 rows"),
    ],
)
def test_what_cannot_be_counted_is_refused(codes, loss, message):
    with pytest.raises(ValueError, match=message):
        search(codes, loss, min_rows=20, max_columns=2)


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.0), ("alpha", 1.5), ("min_rows", 0), ("max_columns", 0)])
def test_limits_outside_their_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; give a"):
        search(CODES, np.ones(2000), **{"min_rows": 20, "max_columns": 2, name: value})
