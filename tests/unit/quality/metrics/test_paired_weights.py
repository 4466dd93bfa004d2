"""The bootstrap of row weights: what it draws, and that it is honest where the models differ on few rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.catalogue import metric
from evalkit.quality.metrics.metric import Weighted
from evalkit.quality.metrics.paired_sums import paired_sums
from evalkit.quality.metrics.paired_weights import PairedWeights
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Interval, NotEstimable

YES_NO = ("no", "yes")
AUC = metric("auc:yes", "classification")


def weighted(of_weights, differ=lambda one, other: one.predicted != other.predicted, undefined="there are no rows"):
    """A metric that is ``of_weights(answered, weights)``."""
    return Weighted(
        name="own",
        meaning="",
        unit="",
        higher_is_better=True,
        undefined=undefined,
        prepare=lambda answered: lambda weights: of_weights(answered, weights),
        differ=differ,
    )


def share_right(answered, weights):
    return weights @ (answered.truth == answered.predicted) / weights.sum(axis=1)


HITS = weighted(share_right)


def answers(truth, teacher, student):
    truth = np.asarray(truth)
    return [
        Answered(model=model, labels=YES_NO, truth=truth, predicted=np.asarray(predicted))
        for model, predicted in (("teacher", teacher), ("student", student))
    ]


def scored(truth, *scores):
    """Models that give a yes the probability Φ(score)."""
    yes = [norm.cdf(each) for each in scores]
    return [
        Answered(
            model="model",
            labels=YES_NO,
            truth=truth,
            predicted=(each > 0.5).astype(np.int64),
            probabilities=np.stack([1 - each, each], axis=1),
        )
        for each in yes
    ]


def estimates(found, models, clusters=None, seed=1, replicates=4000):
    rows = np.arange(len(models[0]))
    pair = PairedWeights(metric=found, teacher=models[0], student=models[1])
    return pair.estimates(rows, clusters, 0.9, np.random.default_rng(seed), replicates)


def differing(n, gained, lost):
    """Half no, half yes; the student alone is right on ``gained`` rows and the teacher alone on ``lost`` others."""
    truth = np.arange(n) % 2
    teacher, student = truth.copy(), truth.copy()
    teacher[:gained] = 1 - teacher[:gained]
    student[gained : gained + lost] = 1 - student[gained : gained + lost]
    return answers(truth, teacher, student)


def bounds(estimate):
    assert isinstance(estimate, Interval), estimate
    return estimate.lower, estimate.upper


@pytest.mark.parametrize(("n", "gained", "lost"), [(100, 3, 5), (200, 10, 10), (1000, 6, 4), (2000, 60, 40)])
def test_a_mean_gets_about_the_interval_that_the_bootstrap_of_sums_gives_it(n, gained, lost):
    models = differing(n, gained, lost)
    accuracy = paired_sums(metric("accuracy", "classification"), *models)
    expected = accuracy.estimates(np.arange(n), None, 0.9, np.random.default_rng(1), 4000).gap
    found = estimates(HITS, models).gap
    # Sums get one more loss and one more gain at once, so that they are a unit less cautious.
    width = expected.upper - expected.lower
    assert bounds(found) == pytest.approx(bounds(expected), abs=1.5 / n + 0.06 * width)
    assert found.upper - found.lower >= 0.95 * width
    assert found.method == "paired bootstrap with one more loss or gain, percentile"


def test_a_student_that_has_only_gained_is_not_sure_to_lose_nothing():
    """The plain bootstrap's lower bound is the least of 6 gains that is drawn in 95 %: 3 of 40, well above 0."""
    models = differing(40, gained=6, lost=0)
    plain = bootstrap_sums(
        np.stack([(np.arange(40) < 6) * 1.0, np.ones(40)], axis=1),
        lambda sums: sums[..., 0] / sums[..., 1],
        0.9,
        np.random.default_rng(1),
    )
    found = estimates(HITS, models).gap
    assert plain.lower >= 2.5 / 40
    assert found.lower < 1.5 / 40
    mirrored = estimates(HITS, models[::-1]).gap
    assert bounds(mirrored) == pytest.approx((-found.upper, -found.lower), abs=1.1 / 40)


def test_fewer_than_five_differing_rows_say_how_many_it_takes():
    for count in range(5):
        found = estimates(HITS, differing(100, gained=0, lost=count)).gap
        assert isinstance(found, NotEstimable)
        assert found.n_needed == (None if count == 0 else -(-100 * 5 // count))
        assert "same on every unit" in found.reason if count == 0 else f"only {count} of 100 units" in found.reason
    assert isinstance(estimates(HITS, differing(100, gained=0, lost=6)).gap, Interval)


def test_differing_rows_of_one_cluster_are_one_unit():
    models = differing(200, gained=0, lost=20)
    assert isinstance(estimates(HITS, models, clusters=np.arange(200) // 2).gap, Interval)
    few = estimates(HITS, models, clusters=np.arange(200) // 10).gap
    assert few == NotEstimable(reason="the models differ on only 2 of 20 units; it takes 5", n=20, n_needed=50)


def test_differences_that_change_no_order_do_not_hide_that_one_row_alone_tells_the_models_apart():
    """Every score differs in its last digits, so every row differs; one row of 30 carries all of the gap."""
    truth = np.arange(30) % 2
    score = np.where(truth == 1, 1.0, -1.0) + np.linspace(0, 0.5, 30)
    score[0] = 3.0
    student = score + 1e-9
    student[0] = -1.0
    found = estimates(AUC, scored(truth, score, student)).gap
    assert isinstance(found, NotEstimable)
    assert found.reason.startswith("about 1.1 of the 30 units carry the whole spread")


def test_auc_sees_only_the_probability_of_its_label():
    models = scored(np.arange(40) % 2, np.linspace(-1, 1, 40), np.linspace(-1, 1, 40))
    assert not AUC.differ(*models).any()
    other = scored(np.arange(40) % 2, np.linspace(-1, 1, 40), np.linspace(-1, 1.1, 40))[1]
    assert AUC.differ(models[0], other).sum() == 39


def test_the_few_rows_that_count_are_found_among_many():
    """The models differ on 10,008 rows, and recall knows 8 of them, all lost, of 20. One more such loss makes it
    9 of 21, 1/35 lower; one gain, which is a loss exchanged, 7 of 21, 1/15 higher."""
    truth = (np.arange(10_020) % 501 == 0).astype(np.int64)
    lost = truth.astype(bool) & (np.cumsum(truth) <= 8)
    student = np.where(truth == 1, ~lost, 1)
    models = answers(truth, truth, student)

    def recall(answered, weights):
        return weights @ (answered.truth * answered.predicted) / (weights @ answered.truth)

    found = estimates(weighted(recall), models, replicates=2000).gap
    misses, hits, added = np.random.default_rng(1).poisson([8, 12, 1], (100_000, 3)).T
    drawn = -misses / (misses + hits)
    assert found.point == -8 / 20
    assert found.lower == pytest.approx(np.quantile(drawn - added / 35, 0.05), abs=0.015)
    assert found.upper == pytest.approx(np.quantile(drawn + added / 15, 0.95), abs=0.015)


def test_a_metric_that_breaks_on_any_added_row_has_no_gap():
    def of_forty_rows(answered, weights):
        return np.where(weights.sum(axis=1) > 40, math.nan, share_right(answered, weights))

    found = estimates(weighted(of_forty_rows, undefined="it takes at most 40 rows"), differing(40, 4, 8))
    assert found.gap == NotEstimable(reason="with any row once more: it takes at most 40 rows", n=40)


def test_probabilities_that_one_model_alone_gave_stay_its_own():
    """A metric of answers alone has the same gap whoever else gave probabilities."""
    teacher, student = differing(100, 8, 12)
    given = Answered(
        model="teacher",
        labels=YES_NO,
        truth=teacher.truth,
        predicted=teacher.predicted,
        probabilities=np.full((100, 2), 0.5),
    )
    assert estimates(HITS, [given, student]) == estimates(HITS, [teacher, student])
    assert estimates(HITS, [student, given]) == estimates(HITS, [student, teacher])


# What is drawn


def test_a_value_of_weights_gets_the_interval_of_the_same_value_of_sums():
    values = np.random.default_rng(1).exponential(size=150)
    mean = weighted(lambda answered, weights: weights @ answered.predicted / weights.sum(axis=1))
    of_weights = estimates(mean, answers(np.zeros(150), values, values), seed=3, replicates=8000).student
    of_sums = bootstrap_sums(
        np.stack([values, np.ones(150)], axis=1),
        lambda sums: sums[..., 0] / sums[..., 1],
        0.9,
        np.random.default_rng(2),
        replicates=8000,
    )
    assert bounds(of_weights) == pytest.approx(bounds(of_sums), abs=0.015)
    assert (of_weights.n, of_weights.method) == (150, "paired bootstrap, BCa")


def test_weights_of_rows_of_one_cluster_are_the_same():
    clusters = np.array([5, 5, 9, 9, 9, *range(20, 60)])
    seen = []

    def third_share(answered, weights):
        if weights.shape[1] == 45:
            seen.append(weights)
        return weights[:, :45:3].sum(axis=1) / weights.sum(axis=1)

    models = answers(np.zeros(45), np.zeros(45), np.ones(45))
    found = estimates(weighted(third_share), models, clusters=clusters, replicates=500).student
    weights = np.concatenate(seen)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 3]).all()
    assert (weights[:, 2] == weights[:, 4]).all()
    assert isinstance(found, Interval)
    assert (found.n, found.method) == (42, "paired cluster bootstrap, BCa")


def test_an_own_value_that_few_rows_carry_is_not_estimable():
    """The teacher is wrong on 2 rows of 100: no resample knows how many more it might be."""
    found = estimates(HITS, differing(100, gained=2, lost=30))
    assert isinstance(found.teacher, NotEstimable)
    assert found.teacher.reason == "about 2.1 of the 100 units carry the whole spread; a bootstrap needs 5"
    assert isinstance(found.student, Interval)


# How often it errs


@pytest.mark.slow
@pytest.mark.long
def test_the_interval_of_an_area_under_the_curve_covers_near_its_level():
    """60 rows with the label and 90 without, of scores N(1, 1) and N(0, 1): Φ(1 / √2) = 0.7602."""
    rng = np.random.default_rng(13)
    truth = (np.arange(150) < 60).astype(np.int64)
    held = []
    for _ in range(400):
        (model,) = scored(truth, truth + rng.normal(size=150) - 0.5)
        found = estimates(AUC, [model, model], seed=rng.integers(2**32), replicates=500).student
        held.append(found.lower <= 0.7602 <= found.upper)
    assert np.mean(held) == pytest.approx(0.9, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "noise", "turned", "level"),
    [(0.5, 0.5, 0.0, 0.04), (0.15, 0.5, 0.0, 0.04), (0.5, 0.0, 0.05, 0.03), (0.2, 0.0, 0.06, 0.06)],
    ids=["noise", "noise, a rare label", "scores turned round", "scores turned round, a rare label"],
)
@pytest.mark.long
def test_a_gap_of_the_margin_passes_no_more_often_than_stated(share, noise, turned, level):
    """200 rows, one-sided 95 %: 300 samples know a share of 5 % to 1.3 %. The plain BCa bootstrap passes up to 16 %."""
    rng = np.random.default_rng(17)

    def models(rows):
        truth = (rng.random(rows) < share).astype(np.int64)
        score = 2.5 * (truth - 0.5) + rng.normal(size=rows)
        worse = np.where((rng.random(rows) < turned) & ((score > 0) == truth), -score, score)
        return scored(truth, score, worse + noise * rng.normal(size=rows))

    margin = -np.subtract(*(AUC.value(each) for each in models(400_000)))
    passed = 0
    for _ in range(300):
        found = estimates(AUC, models(200), seed=rng.integers(2**32), replicates=400).gap
        passed += isinstance(found, Interval) and found.lower > margin
    assert passed / 300 <= level + 0.02
