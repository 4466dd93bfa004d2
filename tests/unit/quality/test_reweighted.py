"""The gap averaged by shares of production is what pandas alone computes, and as sure as its thinnest group allows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.subpopulations import Group, groups
from evalkit.quality.paired_gap import GAP, paired_measurements
from evalkit.quality.reweighted import reweighted_measurements, weighted_by
from evalkit.spec.subpopulations import GroupPolicy, Subpopulation
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.weighted_difference import weighted_bounds


def answers(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    right = {model: np.where(rng.random(rows) < 0.9, "good", "bad") for model in ("teacher", "student")}
    return pd.DataFrame({"row_label": "good", **right, "channel": rng.choice(["mail", "tweet", "web"], rows)})


def weighted(**shares: float) -> Subpopulation:
    return Subpopulation(columns=("channel",), groups={name: GroupPolicy(weight=w) for name, w in shares.items()})


def gap(table: pd.DataFrame, grouping: Subpopulation, cluster: str | None = None) -> Estimate:
    (measured,) = reweighted_measurements(table, groups(table, [grouping], 0.1), cluster, 0.9)
    return measured.value


def interval(value: Estimate) -> Interval:
    assert isinstance(value, Interval)
    return value


def width(value: Estimate) -> float:
    return interval(value).upper - interval(value).lower


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(30, 300), st.tuples(*[st.floats(0.01, 10)] * 3))
def test_the_figure_is_the_average_of_the_groups_gaps_by_their_shares(
    seed: int, rows: int, shares: tuple[float, float, float]
) -> None:
    table = answers(rows, seed).assign(channel=lambda each: np.resize(["mail", "tweet", "web"], len(each)))
    value = interval(gap(table, weighted(**dict(zip(["mail", "tweet", "web"], shares, strict=True)))))
    won = (table["student"] == "good").astype(int) - (table["teacher"] == "good").astype(int)
    expected = np.average(won.groupby(table["channel"]).mean(), weights=shares)
    assert value.point == pytest.approx(expected, abs=1e-12)
    assert value.lower <= value.point <= value.upper
    assert value.n == rows


def test_it_is_named_as_the_decision_names_its_claim_and_carries_no_counts() -> None:
    table = answers(200).assign(country="be")
    found = groups(table, [weighted(mail=5, tweet=3, web=2), Subpopulation(columns=("country",))], 0.1)
    (measured,) = reweighted_measurements(table, found, None, 0.9)
    assert (measured.name, measured.subpopulation) == (GAP, weighted_by("channel"))
    assert measured.counts is None
    assert measured.unit == "share of rows"


def test_groups_without_weights_make_no_average() -> None:
    table = answers(50)
    assert reweighted_measurements(table, groups(table, [Subpopulation(columns=("channel",))], 0.1), None, 0.9) == ()


def test_where_production_sees_one_group_alone_its_interval_is_that_of_the_group() -> None:
    table = answers(300)
    grouping = weighted(mail=0, tweet=7, web=0)
    alone = next(
        each.value
        for each in paired_measurements(table, groups(table, [grouping], 0.1), None, 0.9)
        if (each.name, each.subpopulation) == (GAP, "channel=tweet")
    )
    value, expected = interval(gap(table, grouping)), interval(alone)
    assert (value.lower, value.point, value.upper) == pytest.approx(
        (expected.lower, expected.point, expected.upper), abs=1e-9
    )
    assert value.n == expected.n


def test_shares_like_those_of_the_rows_give_about_the_interval_of_all_rows() -> None:
    table = answers(900)
    shares = table["channel"].value_counts().to_dict()
    overall = next(each.value for each in paired_measurements(table, (), None, 0.9) if each.name == GAP)
    value = interval(gap(table, weighted(**shares)))
    assert value.point == pytest.approx(interval(overall).point, abs=1e-12)
    assert width(value) == pytest.approx(width(overall), rel=0.02)


def test_a_group_that_production_has_and_the_rows_have_not_leaves_no_estimate() -> None:
    table = answers(60)
    found = [
        Group(name="age=<65", rows=np.arange(60), margin=0.1, required=True, weight=0.9, columns=("age",)),
        Group(name="age=≥65", rows=np.array([], np.int64), margin=0.1, required=True, weight=0.1, columns=("age",)),
    ]
    (measured,) = reweighted_measurements(table, found, None, 0.9)
    assert measured.value == NotEstimable(reason="no row of age=≥65, which production has", n=60)


def test_an_empty_group_that_production_never_sees_is_left_out() -> None:
    table = answers(60)
    found = [
        Group(name="age=<65", rows=np.arange(60), margin=0.1, required=True, weight=1.0, columns=("age",)),
        Group(name="age=≥65", rows=np.array([], np.int64), margin=0.1, required=True, weight=0.0, columns=("age",)),
    ]
    (measured,) = reweighted_measurements(table, found, None, 0.9)
    assert isinstance(measured.value, Interval)


class TestClusters:
    """What comes from few users is known no better for their many rows."""

    def test_rows_that_stand_there_four_times_give_the_interval_of_the_rows(self) -> None:
        once = answers(600).assign(user=np.arange(600))
        grouping = weighted(mail=5, tweet=3, web=2)
        copied = pd.concat([once] * 4, ignore_index=True)
        single, clustered = gap(once, grouping), interval(gap(copied, grouping, "user"))
        assert clustered.point == pytest.approx(interval(single).point, abs=1e-12)
        assert width(clustered) == pytest.approx(width(single), rel=0.02)
        assert width(gap(copied, grouping)) < 0.6 * width(clustered)
        assert "effective rows of 2400 (Rao–Scott)" in clustered.method
        assert clustered.n == pytest.approx(600, abs=6)

    @pytest.mark.parametrize("all_alike", [True, False])
    def test_a_user_with_a_row_in_every_group_counts_once(self, all_alike: bool) -> None:
        """Each user's answers are the same in all three groups: 200 users are 200 rows, not 600."""
        user = answers(200, seed=3)
        if all_alike:
            user = user.assign(student=user["teacher"])
        names = ("mail", "tweet", "web")
        spread = pd.concat([user.assign(channel=name, user=np.arange(200)) for name in names], ignore_index=True)
        clustered = gap(spread, weighted(mail=1, tweet=1, web=1), "user")
        alone = next(each.value for each in paired_measurements(user, (), None, 0.9) if each.name == GAP)
        assert width(clustered) == pytest.approx(width(alone), rel=0.03)

    def test_a_single_user_who_stands_for_half_of_production_shows_nothing(self) -> None:
        table = answers(1000).assign(user=np.arange(1000))
        alike = table.assign(student=table["teacher"])
        alike.loc[alike["channel"] == "web", "user"] = -1
        value = gap(alike, weighted(mail=1, tweet=1, web=2), "user")
        assert isinstance(value, NotEstimable)  # 1/2 of the weight in one user: 1/(1/4 + …) clusters
        assert value.reason.startswith("the rows are worth 4.0 equal clusters (of 679, one holds 50.0 % of them)")

    def test_clusters_of_one_row_cost_hardly_anything(self) -> None:
        table = answers(900).assign(user=np.arange(900))
        grouping = weighted(mail=5, tweet=3, web=2)
        assert width(gap(table, grouping, "user")) == pytest.approx(width(gap(table, grouping)), rel=0.02)


@pytest.mark.slow
@pytest.mark.long
def test_the_lower_bound_of_clustered_rows_lies_above_the_truth_in_no_more_than_five_percent_of_samples() -> None:
    """Users with rows in both groups, some of whom lose nearly all of theirs; the small group is half of production.

    The truth is each user's chance of a loss; the bound is compared at a margin equal to the true loss.
    """
    rng = np.random.default_rng(21)
    samples, users, weights = 300, 150, np.array([0.5, 0.5])
    grouping = weighted(mail=float(weights[0]), web=float(weights[1]))
    false_go = 0
    for _ in range(samples):
        unlucky = rng.random(users) < 0.05
        user = np.concatenate([np.repeat(np.arange(users), 4), np.arange(users)])
        lost = rng.random(len(user)) < np.where(unlucky[user], 0.8, 0.01)
        table = pd.DataFrame(
            {
                "row_label": "good",
                "teacher": "good",
                "student": np.where(lost, "bad", "good"),
                "channel": np.repeat(["mail", "web"], [4 * users, users]),
                "user": user,
            }
        )
        false_go += interval(gap(table, grouping, "user")).lower > -(0.05 * 0.8 + 0.95 * 0.01)
    assert false_go / samples <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / samples)


def test_the_bounds_are_those_of_the_stratified_score_interval() -> None:
    table = answers(400, seed=8)
    shares = {"mail": 0.6, "tweet": 0.3, "web": 0.1}
    won = (table["student"] == "good").astype(int) - (table["teacher"] == "good").astype(int)
    by = won.groupby(table["channel"])
    lower, upper = weighted_bounds(
        by.apply(lambda each: (each > 0).sum()),
        by.apply(lambda each: (each < 0).sum()),
        by.size(),
        list(shares.values()),
        0.9,
    )
    value = interval(gap(table, weighted(**shares)))
    assert (value.lower, value.upper) == pytest.approx((float(lower), float(upper)), abs=1e-12)
