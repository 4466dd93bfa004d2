"""What the spec says of single values reaches their groups, and nobody else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.data.subpopulations import Group, groups
from evalkit.data.weights import weighted_groupings
from evalkit.errors import DataError
from evalkit.spec.subpopulations import Subpopulation

TABLE = pd.DataFrame(
    {
        "channel": ["tweet", "review", "tweet", None],
        "length": ["short", "short", "long", "long"],
        "age": [10, 20, 30, 40],
    }
)


def grouped(
    columns: object, default: float | None = 0.08, table: pd.DataFrame = TABLE, **stated: object
) -> list[Group]:
    return list(groups(table, [Subpopulation.model_validate({"columns": columns, **stated})], default))


def test_a_values_own_policy_comes_before_its_groupings_and_that_before_the_default() -> None:
    found = grouped("channel", margin=0.05, groups={"tweet": {"margin": 0.02}, "review": {"required": False}})
    assert [(group.name, group.margin, group.required) for group in found] == [
        ("channel=(missing)", 0.05, True),
        ("channel=review", 0.05, False),
        ("channel=tweet", 0.02, True),
    ]


def test_a_value_may_be_required_in_a_grouping_that_is_watched() -> None:
    found = grouped("channel", required=False, groups={"tweet": {"required": True}})
    assert [group.required for group in found] == [False, False, True]


def test_without_any_margin_no_accuracy_is_claimed() -> None:
    assert [group.margin for group in grouped("channel", None, groups={"tweet": {"margin": 0.1}})] == [None, None, 0.1]


def test_the_values_of_a_cross_are_named_in_the_order_of_its_columns() -> None:
    found = grouped(["channel", "length"], groups={"tweet, long": {"margin": 0.3}})
    assert {group.name: group.margin for group in found if group.margin == 0.3} == {"channel=tweet, length=long": 0.3}


def test_missing_values_and_bins_have_policies_by_their_names() -> None:
    assert grouped("channel", groups={"(missing)": {"required": False}})[0].required is False
    binned = grouped("age", bins=[18, 35], groups={"<18": {"margin": 0.2}, "[18, 35)": {"margin": 0.3}})
    assert [group.margin for group in binned] == [0.2, 0.3, 0.08]


def test_a_stated_bin_without_rows_may_have_a_policy() -> None:
    (empty,) = [group for group in grouped("age", bins=[90], groups={"≥90": {"required": False}}) if group.n == 0]
    assert not empty.required


def test_a_policy_for_a_value_that_does_not_occur_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        DataError,
        match=r"channel has a policy for 'twet', which no held-out row has; its values are \(missing\), review, tweet",
    ):
        grouped("channel", groups={"twet": {"margin": 0.1}})


def test_of_many_known_values_twenty_are_named() -> None:
    with pytest.raises(DataError, match=r"its values are 0, 1, .*, 19 and 30 more$"):
        grouped("n", table=pd.DataFrame({"n": range(50)}), groups={"x": {"margin": 0.1}})


def test_a_policy_that_means_two_groups_is_refused() -> None:
    table = pd.DataFrame({"a": ["1, 2", "1"], "b": ["3", "2, 3"]})
    with pytest.raises(DataError, match="the policy of a × b for '1, 2, 3' means two groups; rename a value"):
        grouped(["a", "b"], table=table, groups={"1, 2, 3": {"margin": 0.1}})


class TestWeights:
    def test_become_shares_that_sum_to_one_in_the_order_of_the_groups(self) -> None:
        weights = {"tweet": {"weight": 6}, "review": {"weight": 3}, "(missing)": {"weight": 1}}
        (found,) = weighted_groupings(grouped("channel", groups=weights))
        assert (found.name, [group.name for group in found.groups]) == (
            "channel",
            ["channel=(missing)", "channel=review", "channel=tweet"],
        )
        np.testing.assert_allclose(found.shares, [0.1, 0.3, 0.6])

    def test_a_weight_of_zero_counts_as_given(self) -> None:
        (found,) = weighted_groupings(grouped(["length"], groups={"short": {"weight": 0}, "long": {"weight": 2}}))
        assert found.shares.tolist() == [1, 0]

    def test_are_averaged_over_watched_groups_too(self) -> None:
        weights = {"short": {"weight": 1, "required": False}, "long": {"weight": 1}}
        (found,) = weighted_groupings(grouped("length", groups=weights))
        assert len(found.groups) == 2

    def test_that_leave_out_a_group_that_occurs_are_refused(self) -> None:
        """Rows without a channel are a part of production too."""
        with pytest.raises(DataError, match=r"channel has weights, but none for \(missing\); give each value"):
            grouped("channel", groups={"tweet": {"weight": 6}, "review": {"weight": 3}})

    def test_are_not_needed(self) -> None:
        assert weighted_groupings(grouped("channel", groups={"tweet": {"margin": 0.1}})) == ()

    def test_of_two_groupings_make_two_averages(self) -> None:
        both = [
            *grouped("length", groups={"short": {"weight": 1}, "long": {"weight": 1}}),
            *grouped("channel"),
            *grouped(
                ["length", "age"], bins={"age": [25]}, groups={"short, <25": {"weight": 1}, "long, ≥25": {"weight": 3}}
            ),
        ]
        assert [(each.name, each.shares.tolist()) for each in weighted_groupings(both)] == [
            ("length", [0.5, 0.5]),
            ("length × age", [0.75, 0.25]),
        ]
