"""Numbers in bins: every bin is what its name says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.data.binning import binned, quantile_edges, quantiles
from evalkit.errors import DataError


def named(values: list[object], *edges: float) -> dict[str, list[object]]:
    found = binned(pd.Series(values, dtype=object), edges, "age")
    return {
        name: [value for value, code in zip(values, found.codes, strict=True) if code == number]
        for number, name in enumerate(found.names)
    }


class TestStatedEdges:
    def test_each_bin_holds_its_lower_edge_and_not_its_upper_one(self) -> None:
        assert named([17.9, 18, 64, 65, 0, 200], 18, 65) == {"<18": [17.9, 0], "[18, 65)": [18, 64], "≥65": [65, 200]}

    def test_one_edge_makes_two_bins(self) -> None:
        assert named([-1, 0, 1], 0) == {"<0": [-1], "≥0": [0, 1]}

    def test_missing_values_are_a_group_of_their_own_which_stands_first(self) -> None:
        assert named([None, 5, None], 3) == {"(missing)": [None, None], "<3": [], "≥3": [5]}

    def test_a_bin_without_rows_is_still_there(self) -> None:
        assert named([70], 18, 65) == {"<18": [], "[18, 65)": [], "≥65": [70]}

    @pytest.mark.parametrize("edge", [0.1, 1 / 3, 1e-7, 123456.789, 1e20])
    def test_an_edge_is_named_so_exactly_that_it_can_be_read_back(self, edge: float) -> None:
        names = binned(pd.Series([0.0]), [edge], "x").names
        assert {float(name[1:]) for name in names} == {edge}

    @pytest.mark.parametrize("value", ["old", True, float("inf")])
    def test_a_value_that_cannot_be_binned_is_named_with_its_row(self, value: object) -> None:
        with pytest.raises(DataError, match=rf"subpopulations.bins: age holds '{value}', which is not .*\(row 1\)"):
            binned(pd.Series([4, value], dtype=object), [18], "subpopulations.bins: age")


class TestQuantiles:
    def test_distinct_values_make_groups_of_equal_size(self) -> None:
        found = quantiles(pd.Series(np.random.default_rng(0).permutation(1000)), 4, "n")
        assert found.names == ("<250", "[250, 500)", "[500, 750)", "≥750")
        assert np.bincount(found.codes).tolist() == [250] * 4

    def test_equal_values_stay_together_and_make_fewer_groups(self) -> None:
        found = quantiles(pd.Series([0] * 60 + list(range(1, 41))), 4, "n")
        assert dict(zip(found.names, np.bincount(found.codes).tolist(), strict=True)) == {
            "<1": 60,
            "[1, 16)": 15,
            "≥16": 25,
        }

    def test_a_value_that_most_rows_have_is_parted_from_the_few_others(self) -> None:
        assert quantiles(pd.Series([7] * 95 + [9] * 5), 4, "n").names == ("<9", "≥9")

    @pytest.mark.parametrize(("value", "name"), [(7, "7"), (0.25, "0.25")])
    def test_one_value_alone_is_one_group_of_that_name(self, value: float, name: str) -> None:
        assert quantiles(pd.Series([value] * 9), 4, "n").names == (name,)

    def test_missing_values_are_no_part_of_the_quantiles(self) -> None:
        found = quantiles(pd.Series([None] * 100 + [1, 2, 3, 4], dtype="Int64"), 2, "n")
        assert (found.names, np.bincount(found.codes).tolist()) == (("(missing)", "<3", "≥3"), [100, 2, 2])

    def test_nothing_but_missing_values_is_one_group(self) -> None:
        assert quantiles(pd.Series([None, None], dtype="Float64"), 4, "n").names == ("(missing)",)

    def test_more_groups_than_rows_make_one_for_each_value(self) -> None:
        found = quantiles(pd.Series([3, 1, 2]), 100, "n")
        assert (found.names, found.codes.tolist()) == (("<2", "[2, 3)", "≥3"), [2, 0, 1])

    @pytest.mark.parametrize(
        ("below", "above", "edge"),
        [
            (0.123456, 0.987654, 1 / 2 + 0.1),  # 0.6: the middle, 0.555555, in one digit
            (1.23456, 1.23457, 1.23457),
            (119, 120, 120),
            (100, 199, 150),
            (-2.5, -1.5, -2),
        ],
    )
    def test_an_edge_is_the_number_of_fewest_digits_that_parts_the_rows(
        self, below: float, above: float, edge: float
    ) -> None:
        assert quantile_edges(np.array([below, above]), 2) == (pytest.approx(edge, abs=1e-12),)

    def test_neighbouring_doubles_are_still_parted(self) -> None:
        one = 1.0
        found = quantiles(pd.Series([one, np.nextafter(one, 2)]), 2, "n")
        assert (found.codes.tolist(), len(set(found.names))) == ([0, 1], 2)

    def test_an_infinite_value_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"n holds '-inf', which is not finite \(row 0\)"):
            quantiles(pd.Series([-np.inf, 1.0]), 4, "n")
