"""Nested parts hold one another, and nothing that belongs together is torn apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from evalkit.data.nested import inseparable, nested_parts, set_apart


def test_equal_texts_and_clusters_are_joined_through_each_other():
    clusters = pd.Series(["u1", "u2", None, "u2", "u3", None])
    units = inseparable(["Hi there", "hi  there", "other", "more", "last", "other"], clusters)
    assert units.tolist() == [0, 0, 1, 0, 2, 1]


def test_what_is_set_apart_shares_no_unit_with_the_rest_and_holds_as_many_labelled_rows_as_asked_for():
    rng = np.random.default_rng(1)
    units, labelled = rng.integers(0, 300, 1000), rng.random(1000) < 0.5
    units = np.unique(units, return_inverse=True)[1]
    apart, rest = set_apart(units, labelled, 100, seed=1)
    assert not set(units[apart]) & set(units[rest])
    assert sorted([*apart, *rest]) == list(range(1000))
    assert set(units[apart]) <= set(units[labelled])
    assert 100 <= labelled[apart].sum() <= 100 + np.bincount(units).max()
    again, _ = set_apart(units, labelled, 100, seed=1)
    other, _ = set_apart(units, labelled, 100, seed=2)
    assert (apart == again).all()
    assert apart.tolist() != other.tolist()


def test_each_part_holds_the_one_before_and_whole_units():
    units = np.unique(np.random.default_rng(1).integers(0, 300, 1000), return_inverse=True)[1]
    parts = nested_parts(units, (0.1, 0.25, 0.5, 1.0), seed=3)
    for small, large in pairwise(parts):
        assert np.isin(small, large).all()
        assert not set(units[small]) & set(units[np.setdiff1d(large, small)])
    sizes = [len(each) for each in parts]
    assert sizes[-1] == 1000
    assert np.abs(np.array(sizes) - [100, 250, 500, 1000]).max() <= np.bincount(units).max()
