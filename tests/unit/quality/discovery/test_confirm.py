"""A p-value below α comes by chance with probability α at most, whatever the losses are like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, ttest_ind

from evalkit.quality.discovery.confirm import exact_p, p_loses_more, welch_p


def test_without_gains_it_is_fishers_exact_test():
    for inside, outside in [((7, 0, 20), (5, 0, 80)), ((0, 0, 20), (5, 0, 80)), ((20, 0, 20), (0, 0, 80))]:
        table = [[inside[0], inside[2] - inside[0]], [outside[0], outside[2] - outside[0]]]
        assert exact_p(inside, outside) == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-6)


def test_the_exact_p_value_is_the_share_of_permutations():
    loss = np.array([1] * 6 + [-1] * 4 + [0] * 20)
    inside = (4, 1, 8)
    rng = np.random.default_rng(0)
    drawn = np.array([rng.permutation(loss)[: inside[2]].sum() for _ in range(20_000)])
    share = (drawn >= inside[0] - inside[1]).mean()
    assert exact_p(inside, (2, 3, 22)) == pytest.approx(share, abs=0.012)


def test_with_many_rows_welch_is_scipys_t_test():
    rng = np.random.default_rng(1)
    loss = rng.choice([-1.0, 0.0, 1.0], 20_000, p=[0.2, 0.5, 0.3])
    inside = rng.random(20_000) < 0.3
    theirs = ttest_ind(loss[inside], loss[~inside], equal_var=False, alternative="greater").pvalue
    assert welch_p(loss, inside, None) == pytest.approx(theirs, abs=1e-3)


def test_clusters_of_one_row_are_hardly_less_than_rows():
    rng = np.random.default_rng(2)
    loss = rng.choice([-1.0, 0.0, 1.0], 400)
    inside = np.arange(400) < 90
    by_row, by_cluster = (p_loses_more(loss, inside, clusters) for clusters in (None, np.arange(400)))
    assert by_row <= by_cluster <= by_row + 0.06


def test_copies_of_rows_are_no_evidence():
    loss = np.repeat([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 50)
    inside = np.arange(600) < 200
    clusters = np.repeat(np.arange(12), 50)
    assert p_loses_more(loss, inside, None) < 1e-6
    assert p_loses_more(loss, inside, clusters) > 0.1


@pytest.mark.parametrize("inside", [np.zeros(50, dtype=bool), np.ones(50, dtype=bool)])
def test_nothing_to_compare_rejects_nothing(inside):
    assert p_loses_more(np.tile([1.0, 0.0], 25), inside, None) == 1.0


def test_one_cluster_on_a_side_rejects_nothing():
    assert p_loses_more(np.repeat([1.0, 0.0], 50), np.arange(100) < 50, np.repeat([0, 1, 2], [50, 25, 25])) == 1.0


def test_a_clear_loss_in_few_rows_is_shown():
    loss = np.zeros(500)
    loss[:12] = 1.0
    assert p_loses_more(loss, np.arange(500) < 30, None) < 0.001


def drawn(rng, n, losses, gains):
    return rng.choice([1.0, -1.0, 0.0], n, p=[losses, gains, 1 - losses - gains])


@pytest.mark.slow
@pytest.mark.parametrize("rows", [50, 300])
@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((0.02, 0.02), (0.02, 0.02)),
        ((0.02, 0.06), (0.02, 0.06)),  # the student gains: few gains inside are no loss
        ((0.2, 0.2), (0.02, 0.02)),  # more disagreement inside, but in balance
        ((0.15, 0.05), (0.1, 0.0)),
    ],
)
def test_the_test_keeps_its_level_where_both_sides_lose_alike(rows, inside, outside):
    rng = np.random.default_rng(3)
    p_values = np.array(
        [
            p_loses_more(
                np.concatenate([drawn(rng, rows, *inside), drawn(rng, 1000, *outside)]),
                np.arange(rows + 1000) < rows,
                None,
            )
            for _ in range(1000)
        ]
    )
    for level in (0.05, 0.01):
        assert (p_values <= level).mean() <= level + 2.33 * np.sqrt(level * (1 - level) / 1000)


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [4, 30])
def test_the_test_keeps_its_level_where_clusters_lose_or_not_as_a_whole(clusters):
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(500):
        sizes = rng.integers(1, 12, clusters + 150)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        rate = np.clip(rng.normal(0.05, 0.1, len(sizes)), 0, 1)
        loss = (rng.random(len(owner)) < rate[owner]).astype(np.float64)
        rejected += p_loses_more(loss, owner < clusters, owner) <= 0.05
    assert rejected / 500 <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / 500)
