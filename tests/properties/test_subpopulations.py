"""What must hold of every grouping, every bin and every merging of small groups."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.data.binning import binned, quantiles
from evalkit.data.merging import merge_small
from evalkit.data.subpopulations import Group, groups, infeasible
from evalkit.spec.subpopulations import Subpopulation
from evalkit.stats.measurement import ALL_ROWS

words = st.sampled_from(["x", "y", "z", "1", "", "(missing)", "x, y", "=", "nan"])
cells = st.one_of(words, st.none(), st.integers(0, 3), st.booleans(), st.floats(0, 2))
tables = st.lists(st.tuples(words | st.none(), st.integers(0, 3), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: pd.DataFrame(rows, columns=["letter", "number", "flag"])
)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
numbers = st.lists(finite | st.integers(-3, 3).map(float) | st.none(), min_size=1, max_size=60)


def by(*columns: str, **stated: object) -> Subpopulation:
    return Subpopulation.model_validate({"columns": columns, **stated})


def rows_of(found: tuple[Group, ...]) -> list[int]:
    return sorted(np.concatenate([group.rows for group in found]).tolist())


@settings(deadline=None, max_examples=60)
@given(tables)
def test_every_row_is_in_exactly_one_group_of_each_grouping(table: pd.DataFrame) -> None:
    for grouping in (by("letter"), by("number"), by("flag", "number"), by("letter", "number", "flag")):
        found = groups(table, [grouping], 0.08)
        assert rows_of(found) == list(range(len(table)))
        assert len({group.name for group in found}) == len(found)
        assert all((np.diff(group.rows) > 0).all() for group in found)


@settings(deadline=None, max_examples=60)
@given(tables)
def test_a_cross_is_the_intersection_of_its_columns_groups(table: pd.DataFrame) -> None:
    of_letter, of_number, crossed = (
        {group.values: set(group.rows.tolist()) for group in groups(table, [grouping], 0.08)}
        for grouping in (by("letter"), by("number"), by("letter", "number"))
    )
    expected = {
        (*letter, *number): both
        for letter, some in of_letter.items()
        for number, others in of_number.items()
        if (both := some & others)
    }
    assert crossed == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(cells, min_size=1, max_size=40), st.randoms())
def test_groups_do_not_depend_on_the_order_of_the_rows(values: list[object], random: object) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = groups(pd.DataFrame({"c": pd.Series(values, dtype=object)}), [by("c")], 0.08)
    other = groups(pd.DataFrame({"c": pd.Series([values[at] for at in order], dtype=object)}), [by("c")], 0.08)
    assert [group.name for group in one] == [group.name for group in other]
    assert [set(group.rows.tolist()) for group in one] == [{order[row] for row in group.rows} for group in other]


@settings(deadline=None, max_examples=60)
@given(st.lists(cells, min_size=1, max_size=40))
def test_a_value_is_in_the_group_of_its_name(values: list[object]) -> None:
    for group in groups(pd.DataFrame({"c": pd.Series(values, dtype=object)}), [by("c")], 0.08):
        for row in group.rows:
            value = values[row]
            shown = "(missing)" if value is None else str(value) or "(empty)"
            assert group.name == f"c={shown}"


def holds(name: str, value: float) -> bool:
    """Whether a bin's name is true of a value."""
    if name.startswith("<"):
        return value < float(name[1:])
    if name.startswith("≥"):
        return value >= float(name[1:])
    if name.startswith("["):
        lower, upper = (float(part) for part in name[1:-1].split(", "))
        return lower <= value < upper
    return value == float(name)


@settings(deadline=None, max_examples=100)
@given(numbers, st.lists(finite, min_size=1, max_size=6, unique=True).map(sorted))
def test_the_name_of_a_stated_bin_is_true_of_every_value_in_it(values: list[float | None], edges: list[float]) -> None:
    found = binned(pd.Series(values, dtype="Float64"), edges, "x")
    for value, code in zip(values, found.codes, strict=True):
        assert found.names[code] == "(missing)" if value is None else holds(found.names[code], value)


@settings(deadline=None, max_examples=150)
@given(numbers, st.integers(2, 8))
def test_quantile_bins_part_the_values_by_name_and_are_at_most_as_many_as_asked_for(
    values: list[float | None], parts: int
) -> None:
    found = quantiles(pd.Series(values, dtype="Float64"), parts, "x")
    counts = np.bincount(found.codes, minlength=len(found.names))
    bins = [name for name in found.names if name != "(missing)"]
    assert (counts > 0).all()
    assert len(set(found.names)) == len(found.names)
    assert len(bins) <= parts
    assert len(bins) > 1 or len({value for value in values if value is not None}) <= 1
    for value, code in zip(values, found.codes, strict=True):
        assert found.names[code] == "(missing)" if value is None else holds(found.names[code], value)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-1000, 1000), min_size=8, max_size=80, unique=True), st.integers(2, 8))
def test_quantile_bins_of_distinct_values_differ_by_at_most_one_row(values: list[int], parts: int) -> None:
    counts = np.bincount(quantiles(pd.Series(values), parts, "x").codes)
    assert len(counts) == parts
    assert counts.min() >= math.floor(len(values) / parts)
    assert counts.max() <= math.ceil(len(values) / parts)


groupings = st.lists(
    st.builds(
        lambda columns, margin, required: by(*columns, margin=margin, required=required),
        st.permutations(["letter", "number", "flag"]).flatmap(lambda order: st.integers(1, 3).map(lambda n: order[:n])),
        st.sampled_from([None, 0.05, 0.2, 0.4]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda grouping: frozenset(grouping.columns),
)


@settings(deadline=None, max_examples=100)
@given(tables, groupings, st.sampled_from([None, 0.1, 0.3]), st.integers(1, 30))
def test_merging_loses_no_group_and_no_required_row(
    table: pd.DataFrame, spec: list[Subpopulation], margin: float | None, minimum_rows: int
) -> None:
    plain = table.assign(letter=table["letter"].map({"x": "x", "y": "y"}))
    found = groups(plain, spec, margin)
    merged = merge_small(found, None, 0.9, minimum_rows)
    assert [(group.name, group.rows.tolist()) for group in merged.groups[: len(found)]] == [
        (group.name, group.rows.tolist()) for group in found
    ]
    assert infeasible(merged.groups, 0.9, minimum_rows) == ()
    judged = {group.name: group for group in merged.groups}
    assert len(judged) == len(merged.groups)
    for before in (group for group in found if group.required):
        now = judged[before.name]
        assert now.merged_into is None or now.margin == before.margin, "it is still tested at its margin"
        if now.merged_into is None:
            assert now.required
        elif now.merged_into != ALL_ROWS:
            parent = judged[now.merged_into]
            assert parent.required
            assert set(before.rows.tolist()) <= set(parent.rows.tolist())
            assert before.margin is None or parent.margin is not None
        else:
            assert before.margin is None or merged.overall_margin is not None
