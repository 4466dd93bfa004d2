"""One user with most of the rows is one user: what few, or unequal, clusters leave of the evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.quality.design_effect import FEWEST_CLUSTERS, deflate, design_effect, too_few_clusters
from evalkit.quality.paired_gap import accuracy, count_pairs, paired_measurements
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_difference import tango_bounds

Sizes = NDArray[np.int64]


def zipf(users: int, rows: int) -> Sizes:
    share = 1 / np.arange(1, users + 1)
    return np.maximum(1, np.round(rows * share / share.sum())).astype(np.int64)


TWENTY, EIGHT = np.full(20, 100), np.full(8, 250)
HALF, NEARLY_ALL = np.array([1000, *[20] * 50]), np.array([1900, *[1] * 100])


def test_equal_clusters_are_worth_what_the_sum_of_their_squares_says() -> None:
    """k/(k − 1) · Σ t²: clusters of 2 rows with sums 2, 1, 0, 1 less the mean 1 each, so 4/3 · 2, against
    independent rows 4 · (1/2)² + 4 · (1/2)² = 2; with the pseudo-cluster of 2 rows (8/3 + 4) / (2 + 2) = 5/3."""
    values = np.array([1.0, 1, 1, 0, 0, 0, 1, 0])
    assert design_effect(values, np.repeat(np.arange(4), 2)) == pytest.approx(5 / 3)


def test_a_cluster_with_nearly_all_rows_is_judged_by_the_mean_without_it() -> None:
    """9 of 10 rows in one cluster, none lost; the tenth is: t = ∓0.9, over 1 − h = 0.1 and 0.9, so
    1/2 · (9² + 1²) = 41 against 0.9; root mean square of the sizes sqrt((81 + 1) / 2) = sqrt(41)."""
    values, clusters = np.array([0.0] * 9 + [1.0]), np.array([0] * 9 + [1])
    assert design_effect(values, clusters) == pytest.approx(max(41 / 0.9, (41 + 41) / (0.9 + np.sqrt(41))))


@pytest.mark.parametrize(("sizes", "effective"), [(TWENTY, 20), (EIGHT, 8), (np.full(FEWEST_CLUSTERS, 7), 5)])
def test_equal_clusters_are_enough_from_five_on(sizes: Sizes, effective: int) -> None:
    assert len(sizes) == effective
    assert too_few_clusters(np.repeat(np.arange(len(sizes)), sizes)) is None
    assert too_few_clusters(np.repeat(np.arange(4), 7)) is not None


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (HALF, "the rows are worth 3.9 equal clusters (of 51, one holds 50.0 % of them); at least 5 are needed"),
        (NEARLY_ALL, "the rows are worth 1.1 equal clusters (of 101, one holds 95.0 % of them); at least 5 are needed"),
        (np.array([7]), "the rows are worth 1.0 equal clusters (of 1, one holds 100.0 % of them); at least 5"),
    ],
)
def test_clusters_that_one_of_them_outweighs_are_too_few(sizes: Sizes, said: str) -> None:
    """1/Σ h²: 1/(0.5² + 50 · 0.01²) = 3.92 of HALF."""
    refused = too_few_clusters(np.repeat(np.arange(len(sizes)), sizes))
    assert isinstance(refused, NotEstimable)
    assert refused.reason.startswith(said)
    assert refused.n == sizes.sum()


@pytest.mark.parametrize("sizes", [HALF, NEARLY_ALL, np.array([3, 1]), np.array([1])])
def test_as_many_more_users_of_one_row_as_are_said_to_be_needed_are_enough_and_one_fewer_is_not(sizes: Sizes) -> None:
    refused = too_few_clusters(np.repeat(np.arange(len(sizes)), sizes))
    assert refused is not None
    assert refused.n_needed is not None
    for rows, enough in ((refused.n_needed, True), (refused.n_needed - 1, False)):
        more = np.concatenate([sizes, np.ones(rows - sizes.sum(), dtype=np.int64)])
        assert (too_few_clusters(np.repeat(np.arange(len(more)), more)) is None) is enough


def test_nothing_is_estimated_of_rows_of_too_few_clusters_and_the_group_without_the_large_one_is() -> None:
    user = np.repeat(np.arange(101), NEARLY_ALL)
    student = np.where((user > 0) & (user % 5 == 0), "bad", "good")
    table = pd.DataFrame({"row_label": "good", "teacher": "good", "student": student, "user": user})
    others = Group(name="others", rows=np.flatnonzero(user > 0), margin=0.1, required=True)
    found = paired_measurements(table, [others], "user", 0.9)
    of_all, of_others = found[:4], found[4:]
    assert all(isinstance(each.value, NotEstimable) and "one holds 95.0 %" in each.value.reason for each in of_all)
    assert all(isinstance(each.value, Interval) for each in of_others)
    agreement = accuracy("agreement", "all", student == "good", user, 0.9)
    assert isinstance(agreement.value, NotEstimable)


def lost_and_gained(
    sizes: Sizes, correlation: float, loss: float, gain: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who is right, [rows] of both: each user's chance of a lost row is Beta with mean ``loss`` and intra-cluster
    ``correlation``, that of a gained row ``gain``."""
    spread = (1 - correlation) / correlation
    chance = np.repeat(rng.beta(loss * spread, (1 - loss) * spread, len(sizes)) * (1 - gain), sizes)
    at = rng.random(len(chance))
    lost, gained = at < chance, at > 1 - gain
    return ~lost, ~gained  # student, teacher


def false_go_rate(sizes: Sizes, correlation: float, margin: float, gain: float, tables: int) -> float:
    """How often a student that truly loses the margin is shown to lose less, at a promised 5 %."""
    rng = np.random.default_rng(7)
    users, loss = np.repeat(np.arange(len(sizes)), sizes), (margin + gain) / (1 - gain)
    if too_few_clusters(users) is not None:
        return 0.0
    counts = []
    for _ in range(tables):
        student, teacher = lost_and_gained(sizes, correlation, loss, gain, rng)
        effect = design_effect(student.astype(float) - teacher, users)
        counts.append(deflate(count_pairs(student, teacher), effect))
    lower, _ = tango_bounds(
        [each.student_only for each in counts], [each.teacher_only for each in counts], [each.n for each in counts], 0.9
    )
    return float((lower > -margin).mean())


TRUTHS = [(0.05, 0.05, 0.0), (0.2, 0.05, 0.0), (0.1, 0.05, 0.05), (0.3, 0.2, 0.05)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [TWENTY, EIGHT, HALF, NEARLY_ALL, np.array([600, *[3] * 500]), np.array([800, *[4] * 300]), np.full(400, 5)],
    ids=["20 equal", "8 equal", "one half, refused", "one 95 %, refused", "one 29 %", "one 40 %", "400 equal"],
)
def test_a_student_at_the_margin_passes_no_more_often_than_promised_however_the_rows_are_clustered(
    sizes: Sizes,
) -> None:
    assert max(false_go_rate(sizes, *truth, tables=1000) for truth in TRUTHS) <= 0.065


@pytest.mark.slow
def test_a_long_tail_of_users_whose_losses_gather_in_few_of_them_passes_a_little_more_often() -> None:
    """The normal quantile is too small for so skewed a sum of 24 equal clusters' worth."""
    assert max(false_go_rate(zipf(300, 2000), *truth, tables=1000) for truth in TRUTHS) <= 0.09
