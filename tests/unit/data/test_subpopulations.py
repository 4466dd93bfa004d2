"""Groups of held-out rows: who is in them, at which margin, and whether they can pass at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.data.reading import read_table
from evalkit.data.subpopulations import Group, groups, infeasible, refuse_infeasible
from evalkit.errors import DataError
from evalkit.spec.subpopulations import Subpopulation

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


def test_a_column_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"data.held_out has no column 'chanel'; it has channel, length"):
        groups(TABLE, [by("chanel")], 0.08)


def test_the_columns_that_may_be_named_are_those_of_the_held_out_table() -> None:
    aligned = TABLE.assign(row_id="a", row_label="b", teacher="c", student="d", teacher_probability_b=1.0)
    with pytest.raises(DataError, match=r"no column 'chanel'; it has channel, length\. "):
        groups(aligned, [by("chanel")], 0.08)


def test_ten_thousand_subpopulations_are_grouped() -> None:
    found = groups(pd.DataFrame({"user": np.arange(20_000) % 10_000}), [by("user")], 0.08)
    assert len(found) == 10_000
    assert found[17].rows.tolist() == [17, 10_017]


class TestMoreThanTwentyThousandGroupsAreRefused:
    """However they come about; what cannot be judged in reasonable time is no question."""

    def test_of_one_column(self) -> None:
        table = pd.DataFrame({"user": np.arange(20_001)})
        with pytest.raises(
            DataError,
            match=r"user splits 20,001 rows into 20,001 groups; at most 20,000 are allowed in all. Bin the column",
        ):
            groups(table, [by("user")], 0.08)

    def test_of_a_cross(self) -> None:
        table = pd.DataFrame({"a": np.repeat(np.arange(201), 100), "b": np.tile(np.arange(100), 201)})
        with pytest.raises(DataError, match=r"a × b splits 20,100 rows into 20,100 groups"):
            groups(table, [by("a", "b")], 0.08)

    def test_of_several_groupings_together(self) -> None:
        table = pd.DataFrame({"a": np.arange(15_000), "b": np.arange(15_000)})
        with pytest.raises(DataError, match=r"a and b splits 15,000 rows into 30,000 groups"):
            groups(table, [by("a"), by("b")], 0.08)


def test_a_million_rows_in_a_thousand_groups_are_grouped_in_well_under_a_second() -> None:
    """Seconds are a loose bound here (a busy machine); naming each row instead of each value takes many."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "a": pd.array(rng.integers(0, 100, 1_000_000), dtype="Int64"),
            "b": pd.array(rng.choice(["p", "q", "r", "s", "t", "u", "v", "w", "x", "y"], 1_000_000), dtype="string"),
        }
    )
    started = time.process_time()
    found = groups(table, [by("a", "b")], 0.08)
    assert time.process_time() - started < 1.0
    assert (len(found), sum(group.n for group in found)) == (1000, 1_000_000)


class TestTwoGroupsOfOneName:
    """A name that two groups share could be judged on either's rows, so there is never a second."""

    def test_are_one_where_a_number_and_its_text_meet(self) -> None:
        table = pd.DataFrame({"n": pd.Series([1, "1", 2], dtype=object)})
        assert members(groups(table, [by("n")], 0.08)) == {"n=1": [0, 1], "n=2": [2]}

    def test_are_refused_where_a_value_reads_like_a_cross(self) -> None:
        table = pd.DataFrame({"a": ["x, b=y", "x"], "b": ["y", "y"]})
        with pytest.raises(DataError, match="2 groups would be called 'a=x, b=y'; rename a column or value that holds"):
            groups(table, [by("a"), by("a", "b")], 0.08)

    def test_are_refused_within_one_cross(self) -> None:
        table = pd.DataFrame({"a": ["x, b=y", "x"], "b": ["z", "y, b=z"]})
        with pytest.raises(DataError, match="2 groups would be called 'a=x, b=y, b=z'"):
            groups(table, [by("a", "b")], 0.08)


@pytest.mark.parametrize("name", ["teacher", "student", "row_label", "row_id", "teacher_probability_yes"])
def test_a_column_with_a_name_of_the_predictions_table_is_refused(name: str) -> None:
    """The aligned table would hand out the model's answers under that name."""
    with pytest.raises(DataError, match=f"'{name}' is a name that the predictions table uses itself; rename"):
        groups(pd.DataFrame({name: ["a", "b"]}), [by(name)], 0.08)


class TestBins:
    TABLE = pd.DataFrame({"age": [17, 70, None, 30, 18], "sex": ["f", "m", "f", "m", "f"]})

    def test_of_stated_edges_stand_in_the_order_of_the_edges(self) -> None:
        grouping = Subpopulation.model_validate({"columns": "age", "bins": [18, 65]})
        assert members(groups(self.TABLE, [grouping], 0.08)) == {
            "age=(missing)": [2],
            "age=<18": [0],
            "age=[18, 65)": [3, 4],
            "age=≥65": [1],
        }

    def test_that_are_stated_and_hold_no_row_are_there_with_none(self) -> None:
        """What nobody looked at must not pass: a required bin without rows is too small, not absent."""
        grouping = Subpopulation.model_validate({"columns": "age", "bins": [18, 100]})
        found = groups(self.TABLE, [grouping], 0.08)
        assert [(group.name, group.n) for group in found][-1] == ("age=≥100", 0)
        assert infeasible(found, 0.95)[-1].n == 0

    def test_are_crossed_like_other_columns_and_then_only_where_rows_are(self) -> None:
        grouping = Subpopulation.model_validate({"columns": ["age", "sex"], "bins": {"age": [18, 100]}})
        assert members(groups(self.TABLE, [grouping], 0.08)) == {
            "age=(missing), sex=f": [2],
            "age=<18, sex=f": [0],
            "age=[18, 100), sex=f": [4],
            "age=[18, 100), sex=m": [1, 3],
        }

    def test_of_quantiles_take_their_edges_from_the_rows(self) -> None:
        grouping = Subpopulation.model_validate({"columns": "age", "quantiles": 2})
        assert members(groups(self.TABLE, [grouping], 0.08)) == {
            "age=(missing)": [2],
            "age=<30": [0, 4],
            "age=≥30": [1, 3],
        }

    def test_of_words_are_refused_by_value_and_row(self) -> None:
        grouping = Subpopulation.model_validate({"columns": "sex", "bins": [1]})
        with pytest.raises(DataError, match=r"subpopulations.bins: sex holds 'f', which is not a number \(row 0\)"):
            groups(self.TABLE, [grouping], 0.08)

    @pytest.mark.parametrize("how", [{"bins": [1]}, {"quantiles": 4}])
    def test_of_infinite_values_are_refused(self, how: dict[str, object]) -> None:
        table = pd.DataFrame({"age": [1.0, np.inf]})
        with pytest.raises(DataError, match=r"age holds 'inf', which is not finite \(row 1\)"):
            groups(table, [Subpopulation.model_validate({"columns": "age", **how})], 0.08)


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
            "Collect rows, widen the margin, set required: false, or set subpopulations.small to inconclusive or merge",
        ):
            refuse_infeasible(infeasible([_group(floor - 1, margin)], 0.95))

    def test_more_confidence_needs_more_rows(self) -> None:
        # z = 2.3263 at 99 %: 5.4119 · 0.95 / 0.05 = 102.8
        assert infeasible([_group(103, 0.05)], 0.99) == ()
        assert infeasible([_group(102, 0.05)], 0.99)[0].rows_needed == 103

    def test_the_minimum_of_rows_holds_where_it_is_above_the_floor_and_says_so(self) -> None:
        (found,) = infeasible([_group(99, 0.05)], 0.95, minimum_rows=100)
        assert (found.rows_needed, found.reason) == (100, "minimum_rows")
        with pytest.raises(DataError, match=r"has 99 rows, needs 100. Collect rows, lower subpopulations.minimum_rows"):
            refuse_infeasible([found])

    def test_the_floor_holds_where_it_is_above_the_minimum_of_rows(self) -> None:
        (found,) = infeasible([_group(51, 0.05)], 0.95, minimum_rows=50)
        assert (found.rows_needed, found.reason) == (52, "margin")

    def test_without_a_margin_only_the_minimum_of_rows_holds(self) -> None:
        assert infeasible([_group(1, None)], 0.95) == ()
        assert infeasible([_group(9, None)], 0.95, minimum_rows=10)[0].margin is None

    def test_a_group_without_rows_is_too_small_at_any_margin(self) -> None:
        assert [each.rows_needed for each in infeasible([_group(0, None)], 0.95)] == [1]

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


def _group(n: int, margin: float | None, *, name: str = "language=de", required: bool = True) -> Group:
    return Group(name=name, rows=np.arange(n), margin=margin, required=required)
