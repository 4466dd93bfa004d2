"""Groups of held-out rows: who is in them, at which margin, and whether they can pass at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.reading import read_table
from evalkit.data.subpopulations import Group, groups, infeasible, refuse_infeasible
from evalkit.errors import DataError
from evalkit.spec.gate import Subpopulation

TABLE = pd.DataFrame(
    {
        "channel": ["tweet", "review", "tweet", None, "review"],
        "length": ["short", "short", "long", "long", "short"],
    }
)


def by(*columns: str, margin: float | None = None, required: bool = True) -> Subpopulation:
    return Subpopulation(columns=columns, margin=margin, required=required)


def members(found: tuple[Group, ...]) -> dict[str, list[int]]:
    return {group.name: group.rows.tolist() for group in found}


def test_a_column_makes_a_group_of_each_value_and_one_of_those_without() -> None:
    assert members(groups(TABLE, [by("channel")], 0.08)) == {
        "channel=(missing)": [3],
        "channel=review": [1, 4],
        "channel=tweet": [0, 2],
    }


def test_crossed_columns_make_a_group_of_each_pair_that_occurs() -> None:
    assert members(groups(TABLE, [by("channel", "length")], 0.08)) == {
        "channel=(missing), length=long": [3],
        "channel=review, length=short": [1, 4],
        "channel=tweet, length=long": [2],
        "channel=tweet, length=short": [0],
    }


def test_groupings_follow_each_other_in_the_order_of_the_spec() -> None:
    found = groups(TABLE, [by("length"), by("channel")], 0.08)
    assert [group.name.partition("=")[0] for group in found] == ["length"] * 2 + ["channel"] * 3


def test_a_grouping_has_its_own_margin_or_the_default_and_says_whether_it_is_required() -> None:
    found = groups(TABLE, [by("length"), by("channel", margin=0.2, required=False)], 0.08)
    assert {(group.margin, group.required) for group in found if group.name.startswith("length")} == {(0.08, True)}
    assert {(group.margin, group.required) for group in found if group.name.startswith("channel")} == {(0.2, False)}


def test_no_grouping_makes_no_group() -> None:
    assert groups(TABLE, [], 0.08) == ()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        pytest.param([30, 20, 20], ["n=20", "n=30"], id="whole numbers"),
        pytest.param([True, False, True], ["n=False", "n=True"], id="booleans"),
        pytest.param([0.5, 0.25, 0.5], ["n=0.25", "n=0.5"], id="fractions"),
        pytest.param(["NA", "DE", "DE"], ["n=DE", "n=NA"], id="Namibia"),
    ],
)
def test_columns_of_every_type_and_format_group_alike(
    values: list[object], names: list[str], suffix: str, written: Callable[..., Path]
) -> None:
    table = read_table(written(suffix, n=values), "data.held_out")
    assert [group.name for group in groups(table, [by("n")], 0.08)] == names


def test_groups_of_numbers_stand_in_the_order_of_the_numbers() -> None:
    table = pd.DataFrame({"age": [100, 9, 20, 9]})
    assert [group.name for group in groups(table, [by("age")], 0.08)] == ["age=9", "age=20", "age=100"]


def test_whole_numbers_keep_their_names_where_some_are_missing(suffix: str, written: Callable[..., Path]) -> None:
    table = read_table(written(suffix, n=pd.array([7, None, 7], dtype="Int64")), "data.held_out")
    assert members(groups(table, [by("n")], 0.08)) == {"n=(missing)": [1], "n=7": [0, 2]}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("xyz") | st.none(), st.integers(0, 3), st.booleans()), min_size=1, max_size=40)
)
def test_every_row_is_in_exactly_one_group_of_each_grouping(rows: list[tuple[str | None, int, bool]]) -> None:
    table = pd.DataFrame(rows, columns=["letter", "number", "flag"])
    for grouping in (by("letter"), by("number"), by("letter", "number", "flag")):
        found = groups(table, [grouping], 0.08)
        assert np.sort(np.concatenate([group.rows for group in found])).tolist() == list(range(len(table)))
        assert len({group.name for group in found}) == len(found)


def test_a_column_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"data.held_out has no column 'chanel'; it has channel, length"):
        groups(TABLE, [by("chanel")], 0.08)


@pytest.mark.parametrize(("values", "refused"), [(1000, False), (1001, True)])
def test_more_than_a_thousand_groups_are_refused(values: int, refused: bool) -> None:
    table = pd.DataFrame({"user": np.arange(values)})
    if not refused:
        assert len(groups(table, [by("user")], 0.08)) == 1000
        return
    with pytest.raises(
        DataError, match=r"user splits 1001 rows into 1001 groups; at most 1000 .* Bin the column first"
    ):
        groups(table, [by("user")], 0.08)


class TestFeasibility:
    """A group below z²(1 − δ)/δ rows cannot pass even if no row speaks against the student."""

    # z = 1.6449 at one-sided 95 %: 2.7055 · (1 − δ) / δ, rounded up.
    FLOORS = ((0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52))

    @pytest.mark.parametrize(("margin", "floor"), FLOORS)
    def test_a_group_of_exactly_the_floor_may_pass(self, margin: float, floor: int) -> None:
        assert infeasible([_group(floor, margin)], 0.95) == ()

    @pytest.mark.parametrize(("margin", "floor"), FLOORS)
    def test_one_row_less_is_refused_by_name_with_the_rows_needed(self, margin: float, floor: int) -> None:
        with pytest.raises(
            DataError,
            match=f"1 required subpopulations are too small .*: language=de has {floor - 1} rows, needs {floor}. "
            "Collect rows, widen the margin, set required: false, or set subpopulations.small: inconclusive",
        ):
            refuse_infeasible(infeasible([_group(floor - 1, margin)], 0.95))

    def test_more_confidence_needs_more_rows(self) -> None:
        # z = 2.3263 at 99 %: 5.4119 · 0.95 / 0.05 = 102.8
        assert infeasible([_group(103, 0.05)], 0.99) == ()
        assert infeasible([_group(102, 0.05)], 0.99)[0].rows_needed == 103

    def test_a_watched_group_may_be_as_small_as_it_is(self) -> None:
        assert infeasible([_group(1, 0.01, required=False)], 0.95) == ()

    def test_nothing_too_small_is_not_refused(self) -> None:
        refuse_infeasible(())

    def test_of_many_small_groups_five_are_named(self) -> None:
        small = infeasible([_group(n, 0.05, name=f"g={n}") for n in range(1, 9)], 0.95)
        with pytest.raises(
            DataError, match=r"8 required .*g=1 has 1 rows.*g=5 has 5 rows, needs 52 and 3 more"
        ) as raised:
            refuse_infeasible(small)
        assert "g=6" not in str(raised.value)


def _group(n: int, margin: float, *, name: str = "language=de", required: bool = True) -> Group:
    return Group(name=name, rows=np.arange(n), margin=margin, required=required)
