"""The paired bootstrap: its resamples, its fall-backs by name, and what it refuses to estimate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from evalkit.stats.bca import acceleration, bca_interval, carrying_units, interval_from_replicates
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.resampling import resamples

LEVEL = 0.9


def seeded(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def ratio(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def mean_terms(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones(len(values))], axis=1)


def ends(estimate: object) -> tuple[float, float]:
    assert isinstance(estimate, Interval), estimate
    return estimate.lower, estimate.upper


def test_interval_of_a_mean_is_the_normal_one_when_rows_are_many() -> None:
    values = seeded().normal(5.0, 2.0, size=3000)
    half = norm.ppf(0.95) * values.std() / math.sqrt(3000)
    found = bootstrap_sums(mean_terms(values), ratio, LEVEL, seeded(2), replicates=8000)
    # The end of an interval from 8,000 replicates has a standard error of 2.4 % of this half-width.
    assert ends(found) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)
    assert isinstance(found, Interval)
    assert (found.point, found.n, found.level) == (pytest.approx(values.mean()), 3000, LEVEL)
    assert found.method == "paired bootstrap, BCa"


def test_counts_stand_for_rows_that_are_written_out() -> None:
    terms, counts = np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, 1.0]]), np.array([30, 10, 160])
    by_count = bootstrap_sums(terms, ratio, LEVEL, seeded(), counts=counts)
    by_row = bootstrap_sums(np.repeat(terms, counts, axis=0)[::-1], ratio, LEVEL, seeded(7))
    assert ends(by_count) == pytest.approx(ends(by_row), abs=0.006)  # steps of 1/200
    assert isinstance(by_count, Interval)
    assert by_count.n == 200


def test_a_cell_with_count_0_is_not_there() -> None:
    terms, counts = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([30, 70])
    padded = np.vstack([terms, [[50.0, 3.0]]])
    assert bootstrap_sums(padded, ratio, LEVEL, seeded(), counts=np.array([30, 70, 0])) == bootstrap_sums(
        terms, ratio, LEVEL, seeded(), counts=counts
    )


@pytest.mark.parametrize("counts", [[3, 5, 2], [4000, 5000, 1000], [1, 1, 1, 1, 1, 1]])
def test_resamples_have_the_mean_and_variance_of_the_multinomial(counts: list[int]) -> None:
    often = np.array(counts)
    drawn = np.concatenate(list(resamples(often, 20_000, seeded())))
    n, shares = often.sum(), often / often.sum()
    assert drawn.shape == (20_000, len(counts))
    assert (drawn.sum(axis=1) == n).all()
    assert drawn.mean(axis=0) == pytest.approx(often, rel=0.03)
    assert drawn.var(axis=0) == pytest.approx(n * shares * (1 - shares), rel=0.06)


def test_blocks_of_resamples_stay_small_and_add_up() -> None:
    blocks = list(resamples(np.ones(400_000, dtype=np.int64), 12, seeded()))
    assert len(blocks) > 1
    assert max(block.nbytes for block in blocks) <= 64 * 2**20
    assert sum(len(block) for block in blocks) == 12


def test_whole_clusters_are_drawn_where_rows_share_one() -> None:
    per_cluster = seeded().normal(size=60)
    values, clusters = np.repeat(per_cluster, 25), np.repeat(np.arange(60) * 7 - 3, 25)
    shuffled = seeded(3).permutation(1500)
    together = bootstrap_sums(
        mean_terms(values)[shuffled], ratio, LEVEL, seeded(), clusters=clusters[shuffled], replicates=6000
    )
    of_means = bootstrap_sums(mean_terms(per_cluster), ratio, LEVEL, seeded(9), replicates=6000)
    assert ends(together) == pytest.approx(ends(of_means), abs=0.03)
    assert isinstance(together, Interval)
    assert (together.n, together.method) == (60, "paired cluster bootstrap, BCa")


def test_counts_and_clusters_go_together() -> None:
    terms, clusters = mean_terms(np.array([1.0, 0.0, 1.0, 0.0, 0.0])), np.array([0, 0, 1, 2, 3])
    counts = np.array([3, 1, 2, 4, 0])
    written_out = np.repeat(np.arange(5), counts)
    assert bootstrap_sums(terms, ratio, LEVEL, seeded(), counts=counts, clusters=clusters) == bootstrap_sums(
        terms[written_out], ratio, LEVEL, seeded(), clusters=clusters[written_out]
    )


def test_delete_a_group_jackknife_has_the_acceleration_of_the_exact_one() -> None:
    values = seeded().exponential(size=20_000)
    jackknife = (values.sum() - values) / (values.size - 1)
    grouped = values.reshape(200, 100).sum(axis=1)
    of_groups = (values.sum() - grouped) / (values.size - 100)
    # 200 groups know the skewness with a standard error of sqrt(6 / 200), a sixth of it over sqrt(200) here.
    assert acceleration(of_groups) == pytest.approx(acceleration(jackknife), abs=3 * 0.173 / 6 / math.sqrt(200))


def test_acceleration_of_a_mean_is_a_sixth_of_its_skewness() -> None:
    """Efron (1987), section 4: for a mean, a = skewness / (6 sqrt(n))."""
    values = np.array([0.0] * 9 + [1.0])  # skewness (1 − 2p) / sqrt(p (1 − p)) at p = 0.1
    jackknife = (values.sum() - values) / 9
    assert acceleration(jackknife) == pytest.approx(0.8 / 0.3 / 6 / math.sqrt(10))


def test_identical_models_have_no_interval_of_no_width() -> None:
    found = bootstrap_sums(np.array([[0.0, 1.0]] * 80), ratio, LEVEL, seeded())
    assert isinstance(found, NotEstimable)
    assert found.reason == "every resample gives the same value, so its spread is unknown"


def test_rounding_is_no_spread() -> None:
    """Both models have the same losses, but their means are formed in another order."""
    losses = seeded().exponential(size=500)
    weights = np.concatenate(list(resamples(np.ones(500, dtype=np.int64), 2000, seeded())))
    gaps = ((weights * losses).sum(axis=1) - (weights[:, ::-1] * losses[::-1]).sum(axis=1)) / 500
    assert np.ptp(gaps) > 0
    found = bca_interval(0.0, gaps, gaps[:200], LEVEL, n=500)
    assert isinstance(found, NotEstimable)
    assert "same value" in found.reason


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_2_units_are_not_estimable(n: int) -> None:
    for found in (
        bootstrap_sums(np.ones((n, 2)), ratio, LEVEL, seeded()),
        bootstrap_sums(seeded().normal(size=(30 * n, 2)), ratio, LEVEL, seeded(), clusters=np.full(30 * n, 4)),
    ):
        assert found == NotEstimable(reason="a spread needs at least 2 units to resample", n=n, n_needed=2)


def test_an_undefined_point_is_not_estimable() -> None:
    found = bca_interval(math.nan, np.arange(2000.0), np.arange(50.0), LEVEL, n=50)
    assert found == NotEstimable(reason="the statistic is undefined on these rows", n=50)


def test_a_few_undefined_resamples_are_left_out_and_named() -> None:
    replicates = seeded().normal(size=2000)
    replicates[:40] = math.nan
    found = bca_interval(0.0, replicates, seeded(2).normal(size=50), LEVEL, n=50)
    assert isinstance(found, Interval)
    assert found.method == "paired bootstrap, BCa; 2.0% of the resamples undefined and left out"
    assert ends(found) == ends(bca_interval(0.0, replicates[40:], seeded(2).normal(size=50), LEVEL, n=50))


def test_more_than_a_twentieth_of_undefined_resamples_are_not_estimable() -> None:
    replicates = seeded().normal(size=2000)
    replicates[:120] = math.inf
    found = bca_interval(0.0, replicates, seeded(2).normal(size=50), LEVEL, n=50)
    assert isinstance(found, NotEstimable)
    assert found.reason == "the statistic is undefined on 6.0% of the resamples, more than 5%"


def test_a_class_with_2_rows_is_missing_from_too_many_resamples() -> None:
    """Recall of a class with 2 rows of 40: undefined where neither is drawn, (38/40)^40 = 12.9 % of the time."""
    terms = np.zeros((40, 2))
    terms[:2], terms[0, 0] = 1.0, 0.0

    def recall(sums: np.ndarray) -> np.ndarray:
        return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)

    found = bootstrap_sums(terms, recall, LEVEL, seeded())
    assert isinstance(found, NotEstimable)
    assert "of the resamples, more than 5%" in found.reason


REPLICATES = np.linspace(-1.0, 1.0, 1999)
JACKKNIFE = np.linspace(-1.0, 1.0, 50)


@pytest.mark.parametrize(
    ("point", "jackknife", "why"),
    [
        (-2.0, JACKKNIFE, "every replicate lies on one side of the point"),
        (2.0, JACKKNIFE, "every replicate lies on one side of the point"),
        (0.0, [1.0, 1.0, 1.0], "the jackknife gives no acceleration"),
        (0.0, [1.0, math.nan, 1.0], "the jackknife gives no acceleration"),
    ],
)
def test_the_percentile_interval_stands_in_where_bca_is_undefined_and_says_so(
    point: float, jackknife: list[float], why: str
) -> None:
    found = bca_interval(point, REPLICATES, jackknife, LEVEL, n=3)
    assert isinstance(found, Interval)
    assert found.method == f"paired bootstrap, percentile (BCa undefined: {why})"
    assert ends(found) == pytest.approx((-0.9009, 0.9009), abs=1e-4)  # the 100th and the 1,900th


def test_an_acceleration_past_its_pole_is_undefined() -> None:
    """1 − a (z0 + z) is not positive at a = 0.65 and z = 1.645: the formula would turn the bounds around."""
    found = interval_from_replicates(0.0, REPLICATES, 0.65, LEVEL, n=6, method="bootstrap")
    assert isinstance(found, Interval)
    assert found.method.endswith("percentile (BCa undefined: the acceleration is too large)")


def test_a_bound_beyond_the_outermost_replicate_is_not_estimable() -> None:
    assert isinstance(bca_interval(0.0, REPLICATES, JACKKNIFE, 0.999, n=4), Interval)  # 1/2000 each side
    short = bca_interval(0.0, REPLICATES, JACKKNIFE, 0.9991, n=4)
    assert isinstance(short, NotEstimable)
    assert "a bound lies beyond the outermost of 1,999 replicates; draw at least 2," in short.reason
    needed = int(short.reason.rsplit(" ", 1)[1].replace(",", ""))
    assert isinstance(bca_interval(0.0, np.linspace(-1, 1, needed), JACKKNIFE, 0.9991, n=4), Interval)
    assert isinstance(bca_interval(0.0, np.linspace(-1, 1, needed - 2), JACKKNIFE, 0.9991, n=4), NotEstimable)


def test_a_bound_that_no_number_of_replicates_reaches_asks_for_none() -> None:
    """What a confidence next to 1, as at the first of many O'Brien–Fleming looks, comes to."""
    found = bca_interval(0.0, REPLICATES, JACKKNIFE, 1 - 1e-12, n=50)
    assert isinstance(found, NotEstimable)
    assert found.reason == "a bound lies beyond the outermost of 1,999 replicates; too far for any number of them"


def test_nearly_constant_replicates_have_no_interval_of_no_width() -> None:
    replicates = np.zeros(2000)
    replicates[:20] = 1.0
    found = bca_interval(0.0, replicates, JACKKNIFE, 0.8, n=50)
    assert isinstance(found, NotEstimable)
    assert "nearly every resample" in found.reason


def test_a_spread_that_few_rows_carry_is_not_estimable_and_names_the_rows_needed() -> None:
    """4 discordant rows of 80 are 4.1 effective ones: their resamples know little of the other rows there may be."""
    few = np.zeros(80)
    few[[3, 9, 30]], few[50] = -1.0, 1.0
    found = bootstrap_sums(mean_terms(few), ratio, LEVEL, seeded())
    assert isinstance(found, NotEstimable)
    assert found.reason == "about 4.1 of the 80 units carry the whole spread; a bootstrap needs 5"
    assert found.n_needed == 98
    more = bootstrap_sums(mean_terms(np.tile(few, 2)), ratio, LEVEL, seeded())
    assert isinstance(more, Interval)


def test_units_that_carry_are_the_discordant_ones() -> None:
    few = np.zeros(10_000)
    few[:7], few[7:12] = -1.0, 1.0
    jackknife = (few.sum() - few) / 9_999
    assert carrying_units(jackknife) == pytest.approx(12, rel=0.01)
    assert carrying_units(seeded().normal(size=30_000)) == pytest.approx(10_000, rel=0.05)
    distinct, counts = np.unique(jackknife, return_counts=True)
    assert carrying_units(distinct, counts) == pytest.approx(carrying_units(jackknife))
    assert math.isnan(carrying_units([1.0, math.nan]))
    assert math.isnan(carrying_units([2.0, 2.0]))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    terms = mean_terms(seeded().normal(size=200))
    one, same, other = (bootstrap_sums(terms, ratio, LEVEL, seeded(seed)) for seed in (5, 5, 6))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("terms", "given", "message"),
    [
        (np.ones(5), {}, r"terms has shape \(5,\)"),
        (np.ones((5, 0)), {}, r"terms has shape \(5, 0\)"),
        (np.array([[1.0], [np.nan]]), {}, "terms is nan; a sum needs finite terms"),
        (np.ones((5, 1)), {"counts": np.ones(4, dtype=np.int64)}, r"counts has shape \(4,\)"),
        (np.ones((2, 1)), {"counts": np.array([2, -1])}, "counts is -1; a count is at least 0"),
        (np.ones((5, 1)), {"clusters": np.arange(6)}, r"clusters has shape \(6,\)"),
        (np.ones((5, 1)), {"replicates": 0}, "replicates is 0"),
    ],
)
def test_terms_that_do_not_fit_are_refused(terms: np.ndarray, given: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_sums(terms, lambda sums: sums[..., 0], LEVEL, seeded(), **given)


def test_levels_and_shapes_that_make_no_sense_are_refused() -> None:
    values = seeded().normal(size=10)
    with pytest.raises(ValueError, match="level is 1"):
        bootstrap_sums(mean_terms(values), ratio, 1.0, seeded())
    with pytest.raises(ValueError, match="level is 0"):
        bca_interval(0.0, [0.0, 1.0], [1.0, 2.0], 0.0, n=2)
    with pytest.raises(ValueError, match="replicates is 0"):
        bca_interval(0.0, [], [1.0, 2.0], LEVEL, n=2)
    with pytest.raises(ValueError, match="the statistic gives shape"):
        bootstrap_sums(mean_terms(values), lambda sums: sums, LEVEL, seeded())
