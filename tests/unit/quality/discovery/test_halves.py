"""Each row is in one half, and clusters are not torn apart."""

from __future__ import annotations

import numpy as np

from evalkit.quality.discovery.halves import halves


def test_rows_go_to_two_equal_halves():
    searched, confirming = halves(101, None, np.random.default_rng(0))
    assert (len(searched), len(confirming)) == (51, 50)
    assert sorted([*searched, *confirming]) == list(range(101))


def test_clusters_stay_together_in_halves_of_about_equal_size():
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 60, 1000) * 7
    searched, confirming = halves(1000, clusters, rng)
    assert sorted([*searched, *confirming]) == list(range(1000))
    assert not set(clusters[searched]) & set(clusters[confirming])
    assert abs(len(searched) - len(confirming)) <= np.bincount(clusters).max()


def test_the_same_seed_gives_the_same_halves_and_another_seed_others():
    first, again, other = (halves(100, None, np.random.default_rng(seed))[0].tolist() for seed in (3, 3, 4))
    assert first == again
    assert first != other
