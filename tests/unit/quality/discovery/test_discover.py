"""A planted subpopulation is found and confirmed; noise is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from evalkit.data.subpopulations import Group
from evalkit.errors import DataError
from evalkit.quality.discovery.discover import discover
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.quality.paired_gap import GAP
from evalkit.spec.subpopulations import Discovery
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_difference import difference
from tests.unit.quality.discovery.planted import planted, searched, task


def region_a(table):
    return table["region"] == "a"


def cross(table):
    return (table["region"] == "a") & (table["device"] == "b")


def confirmed(result):
    return [each.name for each in result.confirmed]


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_value_is_found_and_confirmed(seed):
    assert confirmed(searched(planted(seed, 3000, region_a), seed)) == ["region=a"]


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_cross_is_found_and_confirmed_by_its_two_columns(seed):
    assert confirmed(searched(planted(seed, 8000, cross), seed)) == ["region=a, device=b"]


def test_a_planted_tail_of_a_number_is_found_by_its_bin():
    names = confirmed(searched(planted(1, 4000, lambda table: table["age"] >= 83)))
    assert len(names) == 1
    assert names[0].startswith("age=≥8")


def test_planted_long_texts_are_found_by_the_text_features():
    table = planted(1, 4000, lambda table: table["text"].str.split().str.len() >= 9)
    assert confirmed(searched(table, text_features=True)) == ["@words=≥9"]


@pytest.mark.parametrize("seed", range(3))
def test_equal_models_have_no_confirmed_subpopulation(seed):
    result = searched(planted(seed, 3000), seed)
    assert result.candidates
    assert result.measurements == ()


def test_the_gap_is_that_of_the_confirming_half_with_its_tango_interval():
    table = planted(0, 3000, region_a)
    found = searched(table).confirmed[0]
    gap = found.gap
    assert (gap.name, gap.subpopulation) == (GAP, "found: region=a")
    assert gap.counts is not None
    assert gap.counts.n == found.n_confirming == gap.value.n
    assert gap.value == difference(gap.counts, 0.9)
    assert found.n_searched + found.n_confirming == region_a(table).sum()
    assert gap.value.point < -0.2 < found.gap_of_others


def test_examples_are_rows_of_the_find_where_only_the_teacher_is_right():
    table = planted(0, 3000, cross, 0.5)
    found = searched(table, min_rows=30).confirmed[0]
    shown = table.set_index("row_id").loc[list(found.examples)]
    assert len(shown) == 5
    assert cross(shown).all()
    assert (shown["teacher"] == shown["row_label"]).all()
    assert (shown["student"] != shown["row_label"]).all()


def test_a_find_that_was_declared_is_named_and_not_tested_again():
    table = planted(0, 3000, region_a)
    rows = np.flatnonzero(region_a(table)).astype(np.int64)
    declared = (Group(name="region=a", rows=rows, margin=0.05, required=True),)
    spec = Discovery(text_features=False)
    result = discover(table, spec, task=task(), declared=declared, level=0.9, rng=np.random.default_rng(0))
    assert result.declared == ("region=a",)
    assert not [each.name for each in result.candidates if "region=a" in each.name and each.confirmed]


def test_confirmed_finds_come_first_and_q_is_benjamini_hochberg_of_p():
    result = searched(planted(0, 3000, region_a))
    order = [(not each.confirmed, each.p) for each in result.candidates]
    assert order == sorted(order)
    m = len(result.candidates)
    for each in result.candidates:
        stepped = [m * other.p / rank for rank, other in enumerate(result.candidates, 1) if other.p >= each.p]
        assert each.q == pytest.approx(min(1.0, *stepped))
        assert each.confirmed == (each.q <= 0.05)


def test_a_smaller_false_discovery_rate_confirms_no_more():
    table = planted(3, 1500, region_a, 0.12)
    assert len(searched(table, false_discovery_rate=0.4).confirmed) == 1
    assert len(searched(table, false_discovery_rate=1e-9).confirmed) == 0


def test_the_same_seed_gives_the_same_result():
    table = planted(0, 2000, cross)
    assert searched(table, 7, text_features=True) == searched(table, 7, text_features=True)


def test_the_index_of_the_table_does_not_matter():
    table = planted(0, 3000, region_a)
    shuffled = table.set_index(pd.Index(np.arange(3000)[::-1] + 17))
    assert searched(table) == searched(shuffled)


def test_whole_clusters_search_or_confirm():
    table = planted(0, 3000, region_a)
    table["user"] = np.arange(3000) // 3
    result = searched(table, cluster="user")
    assert confirmed(result) == ["region=a"]
    assert result.rows_searched + result.rows_confirming == 3000
    assert "user" not in result.columns


def test_one_bad_user_is_no_bad_subpopulation():
    """All losses in a channel come from one user whose rows all fail: seen once, whatever the number of rows."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(60), 50)
    table = planted(0, 3000).assign(user=user, channel=np.where(user < 12, "x", rng.choice(["y", "z"], 60)[user]))
    for bad in (0, 1):  # one lands in each half, or both in one
        table.loc[user == bad, "student"] = "none"
    with_clusters = searched(table, cluster="user", columns=["channel"])
    assert not with_clusters.confirmed
    assert confirmed(searched(table, columns=["channel"])) == ["channel=x"]


def test_too_few_rows_are_said_and_not_searched():
    result = searched(planted(0, 150), min_rows=50)
    assert result.not_searched == NotEstimable(
        reason="the smaller half has 75 rows; a search with min_rows 50 needs 100 in each, 200 in all",
        n=150,
        n_needed=200,
    )
    assert result.candidates == result.measurements == ()
    assert searched(planted(0, 200), min_rows=50).not_searched is None


def test_one_cluster_with_nearly_all_rows_leaves_too_few_to_confirm():
    table = planted(0, 1000).assign(user=np.where(np.arange(1000) < 950, "bot", "other"))
    assert isinstance(searched(table, cluster="user").not_searched, NotEstimable)


def test_identical_answers_have_no_candidates():
    table = planted(0, 1000)
    assert searched(table.assign(student=table["teacher"])).candidates == ()


def test_a_find_without_rows_in_the_other_half_is_not_estimable_and_not_confirmed():
    table = planted(0, 1000).assign(user=np.arange(1000) // 100)
    table["channel"] = np.where(table["user"] < 1, "x", "y")
    table.loc[table["user"] == 0, "student"] = "none"
    result = next(
        result
        for seed in range(20)
        if (result := searched(table, seed, cluster="user", columns=["channel"], min_rows=50)).candidates
        and result.candidates[0].n_confirming == 0
    )
    assert isinstance(result.candidates[0].gap.value, NotEstimable)
    assert not result.confirmed


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="no column 'chanel'"):
        searched(planted(0, 500), columns=["chanel"])


def test_the_result_survives_being_written_as_json():
    result = searched(planted(0, 2000, region_a), text_features=True)
    adapter = TypeAdapter(DiscoveryResult)
    assert adapter.validate_json(adapter.dump_json(result)) == result
    assert all(isinstance(each.gap.value, Interval) for each in result.confirmed)


@pytest.mark.slow
@pytest.mark.long
def test_on_noise_the_rate_of_false_confirmations_keeps_to_the_false_discovery_rate():
    """With no true find every confirmed one is false, and Benjamini–Hochberg keeps the chance of any ≤ the rate."""
    rate = 0.2
    spec = {"min_rows": 20, "false_discovery_rate": rate}
    results = [searched(planted(seed, 800), seed, **spec) for seed in range(250)]
    assert np.mean([bool(result.confirmed) for result in results]) <= rate
    assert np.mean([bool(result.candidates) for result in results]) > 0.8


@pytest.mark.slow
@pytest.mark.long
def test_on_clustered_noise_the_rate_of_false_confirmations_keeps_to_it_too():
    rate = 0.2
    runs = 200
    false = 0
    for seed in range(runs):
        table = planted(seed, 600)
        rng = np.random.default_rng(10_000 + seed)
        user = rng.integers(0, 120, 600)
        kind = rng.choice(list("abc"), 120)[user]
        lost = (rng.random(120) < 0.1)[user]  # every row of a tenth of all users, whatever their kind
        table = table.assign(user=user, kind=kind, student=np.where(lost, "none", table["student"]))
        spec = {"columns": ["kind", "region"], "min_rows": 20, "false_discovery_rate": rate}
        false += bool(searched(table, seed, cluster="user", **spec).confirmed)
    assert false / runs <= rate


@pytest.mark.slow
def test_the_teachers_answer_would_be_confirmed_for_an_equally_good_student():
    """Why it is not searched by default: two models of one quality that err on different rows."""
    rng = np.random.default_rng(0)
    label = rng.choice(["yes", "no"], 4000, p=[0.8, 0.2])
    other = np.where(label == "yes", "no", "yes")
    teacher, student = (np.where(rng.random(4000) < 0.85, label, other) for _ in range(2))
    table = pd.DataFrame({"row_id": np.arange(4000), "row_label": label, "teacher": teacher, "student": student})
    assert confirmed(searched(table, columns=["@teacher_answer"])) == ["@teacher_answer=yes"]
    assert searched(table).confirmed == ()
