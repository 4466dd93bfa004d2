"""Small required groups are judged within their parent, and none is lost on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.data.merging import Merged, merge_small
from evalkit.data.subpopulations import Group, groups
from evalkit.spec.subpopulations import Subpopulation

# At one-sided 95 % a margin of 5 % needs 52 rows, one of 8 % needs 32 (z²(1 − δ)/δ, z = 1.6449).
SIZES = {("de", "web"): 100, ("de", "app"): 10, ("fr", "web"): 20, ("fr", "app"): 5}
TABLE = pd.DataFrame(
    [(language, channel) for (language, channel), n in SIZES.items() for _ in range(n)],
    columns=["language", "channel"],
)


def grouped(*by: object, margin: float | None = 0.05) -> tuple[Group, ...]:
    return groups(TABLE, [Subpopulation.model_validate(each) for each in by], margin)


def shown(merged: Merged) -> dict[str, tuple[int, float | None, bool, str | None]]:
    return {group.name: (group.n, group.margin, group.required, group.merged_into) for group in merged.groups}


CROSS = ["language", "channel"]


def test_a_cross_is_judged_within_its_first_columns_which_get_a_claim() -> None:
    merged = merge_small(grouped(CROSS), 0.05, 0.95)
    assert shown(merged) == {
        "language=de, channel=app": (10, 0.05, False, "language=de"),
        "language=de, channel=web": (100, 0.05, True, None),
        "language=fr, channel=app": (5, 0.05, False, "all"),  # language=fr has 25 rows, too few as well
        "language=fr, channel=web": (20, 0.05, False, "all"),
        "language=de": (110, 0.05, True, None),
    }
    assert merged.overall_margin == 0.05


def test_a_parent_holds_the_rows_of_all_its_groups_and_not_only_of_the_small_ones() -> None:
    parent = merge_small(grouped(CROSS), 0.05, 0.95).groups[-1]
    assert parent.rows.tolist() == np.flatnonzero(TABLE["language"] == "de").tolist()


def test_a_single_column_is_judged_within_all_rows() -> None:
    assert shown(merge_small(grouped("language"), 0.02, 0.95)) == {
        "language=de": (110, 0.05, True, None),
        "language=fr": (25, 0.05, False, "all"),
    }


def test_a_parent_with_a_claim_of_its_own_keeps_its_margin_and_is_not_added_again() -> None:
    merged = merge_small(grouped({"columns": "language", "margin": 0.1}, CROSS), 0.05, 0.95)
    assert shown(merged)["language=de"] == (110, 0.1, True, None)
    assert shown(merged)["language=fr"] == (25, 0.1, True, None)  # enough at 10 %: 25 rows
    assert shown(merged)["language=fr, channel=app"] == (5, 0.05, False, "language=fr")
    assert len(merged.groups) == 6


def test_a_watched_parent_becomes_required_since_a_required_claim_now_rests_on_it() -> None:
    watched = {"columns": "language", "margin": 0.3, "required": False}
    assert shown(merge_small(grouped(watched, CROSS), 0.05, 0.95))["language=de"] == (110, 0.05, True, None)


def test_a_parent_without_a_margin_takes_over_the_groups_own() -> None:
    cross = {"columns": CROSS, "groups": {"de, app": {"margin": 0.05}}}
    merged = shown(merge_small(grouped("language", cross, margin=None), None, 0.95))
    assert merged["language=de, channel=app"] == (10, 0.05, False, "language=de")
    assert merged["language=de"] == (110, 0.05, True, None)


def test_a_parent_is_found_whatever_the_order_of_its_columns() -> None:
    table = TABLE.assign(day="monday")
    by = [Subpopulation(columns=("channel", "language")), Subpopulation(columns=("language", "channel", "day"))]
    found = groups(table, by, 0.05)
    small = [group for group in found if group.name == "language=de, channel=web, day=monday"]
    big = [group for group in found if group.columns == ("channel", "language")]
    merged = merge_small([*big, *small], 0.05, 0.95, minimum_rows=100)
    assert not any(group.merged_into for group in merged.groups if group.n >= 100)
    merged = merge_small(found, 0.05, 0.95, minimum_rows=1)
    assert {group.name for group in merged.groups} >= {"channel=web, language=de"}
    assert shown(merged)["language=de, channel=app, day=monday"][3] == "language=de"


def test_an_added_parent_has_the_strictest_margin_of_those_judged_within_it() -> None:
    policy = {"de, app": {"margin": 0.07}, "de, web": {"margin": 0.02}}  # 2 % needs 133 rows: all of them
    table = pd.concat([TABLE, pd.DataFrame({"language": ["de"] * 50, "channel": ["fax"] * 50})], ignore_index=True)
    found = groups(table, [Subpopulation.model_validate({"columns": CROSS, "groups": policy})], 0.04)
    assert shown(merge_small(found, 0.05, 0.95))["language=de"] == (160, 0.02, True, None)


def test_three_columns_are_merged_as_far_out_as_they_must() -> None:
    table = TABLE.assign(day=["mon", "tue"] * 67 + ["mon"])
    found = groups(table, [Subpopulation(columns=("language", "channel", "day"))], 0.05)
    into = {group.name: group.merged_into for group in merge_small(found, 0.05, 0.95).groups}
    assert into["language=de, channel=web, day=mon"] == "language=de, channel=web"
    assert into["language=de, channel=app, day=mon"] == "language=de"
    assert into["language=fr, channel=app, day=mon"] == "all"
    assert into["language=de, channel=web"] is None


def test_all_rows_get_the_claim_where_the_spec_makes_none() -> None:
    policy = {"fr": {"margin": 0.03}}
    merged = merge_small(grouped({"columns": "language", "groups": policy}), None, 0.95)
    assert merged.overall_margin == 0.03
    assert merge_small(grouped("language"), 0.01, 0.95).overall_margin == 0.01


def test_the_minimum_of_rows_merges_too() -> None:
    merged = shown(merge_small(grouped(CROSS, margin=None), None, 0.95, minimum_rows=50))
    assert merged["language=de, channel=app"] == (10, None, False, "language=de")
    assert merged["language=de"] == (110, None, True, None)


def test_a_watched_group_is_left_alone_however_small() -> None:
    found = grouped({"columns": "language", "required": False})
    assert merge_small(found, 0.05, 0.95).groups == found


def test_groups_that_are_large_enough_are_left_alone() -> None:
    found = grouped("language", margin=0.2)
    assert merge_small(found, 0.05, 0.95) == Merged(groups=found, overall_margin=0.05)


def test_a_bin_without_rows_is_merged_and_still_listed() -> None:
    found = groups(
        pd.DataFrame({"age": np.arange(100)}), [Subpopulation.model_validate({"columns": "age", "bins": [200]})], 0.05
    )
    assert shown(merge_small(found, 0.05, 0.95))["age=≥200"] == (0, 0.05, False, "all")


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_how_many_rows_are_enough_follows_from_the_confidence(confidence: float) -> None:
    # z²·0.95/0.05: 31.2 at 90 %, 102.8 at 99 %
    found = groups(pd.DataFrame({"x": ["a"] * 50}), [Subpopulation(columns=("x",))], 0.05)
    assert (merge_small(found, 0.05, confidence).groups[0].merged_into == "all") is (confidence == 0.99)
