"""Overlapping slices are one find; different ones are different finds."""

from __future__ import annotations

import numpy as np

from evalkit.quality.discovery.candidates import Limits, candidates

RNG = np.random.default_rng(0)
N = 6000
CODES = RNG.integers(0, 5, (N, 8)).astype(np.int32)
CODES[:, 7] = np.where(RNG.random(N) < 0.95, CODES[:, 6], 0)  # nearly a copy of column 6
LIMITS = Limits(min_rows=50, max_columns=2)


def loss_in(*shares, seed=1):
    """A loss of 2 % and gain of 2 % everywhere, and the given extra share of losses in each set of rows."""
    rng = np.random.default_rng(seed)
    loss = rng.choice([-1.0, 0.0, 1.0], N, p=[0.02, 0.96, 0.02])
    for rows, share in shares:
        loss[rows & (rng.random(N) < share)] = 1.0
    return loss


def found(loss, limits=LIMITS):
    return [each.conditions for each in candidates(CODES, loss, limits)]


def test_a_bad_value_is_one_find_and_not_its_crosses_with_everything():
    conditions = found(loss_in((CODES[:, 0] == 1, 0.3)))
    assert conditions[0] == ((0, 1),)
    assert not any((0, 1) in each for each in conditions[1:])


def test_a_bad_cross_is_found_as_such_and_not_by_its_columns():
    cross = (CODES[:, 0] == 1) & (CODES[:, 2] == 3)
    per_seed = [found(loss_in((cross, 0.4), seed=seed)) for seed in range(6)]
    assert all(conditions[0] == ((0, 1), (2, 3)) for conditions in per_seed)
    # what is left of either column is noise, and 2 standard errors off in about one case of forty
    assert sum(column in conditions for conditions in per_seed for column in (((0, 1),), ((2, 3),))) <= 2


def test_of_two_columns_that_are_nearly_the_same_one_is_a_find():
    conditions = found(loss_in((CODES[:, 6] == 2, 0.3)))
    assert conditions[0] in (((6, 2),), ((7, 2),))
    assert len([each for each in conditions if each[0][0] in (6, 7)]) == 1


def test_a_second_bad_value_is_found_though_the_first_fills_all_the_first_places():
    wide = Limits(min_rows=50, max_columns=3)
    conditions = found(loss_in((CODES[:, 0] == 1, 0.5), (CODES[:, 3] == 4, 0.08)), wide)
    assert conditions[0] == ((0, 1),)
    assert ((3, 4),) in conditions


def test_the_worse_part_of_a_bad_value_is_a_find_beside_it():
    bad = CODES[:, 0] == 1
    conditions = found(loss_in((bad, 0.3), (bad & (CODES[:, 2] == 3), 0.5)))
    assert ((0, 1),) in conditions
    assert ((0, 1), (2, 3)) in conditions


def test_noise_gives_at_most_twenty_and_a_constant_loss_none():
    assert 0 < len(found(loss_in())) <= 20
    assert found(np.zeros(N)) == []
    assert found(np.ones(N)) == []


def test_a_find_says_how_many_rows_it_has_and_how_much_they_lose():
    loss = loss_in((CODES[:, 0] == 1, 0.3))
    first = candidates(CODES, loss, LIMITS)[0]
    assert first.rows == (CODES[:, 0] == 1).sum()
    assert first.mean_loss == loss[CODES[:, 0] == 1].mean()
