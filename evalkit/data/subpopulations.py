"""Held-out rows grouped by columns and crosses of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.binning import binned, quantiles
from evalkit.data.dataset import is_own
from evalkit.data.derived import derived_column
from evalkit.data.group_policy import stated_for
from evalkit.data.levels import Levels, levels_of, refuse_too_many
from evalkit.data.reading import require_columns
from evalkit.data.truth import CLASSIFICATION, RANKING
from evalkit.errors import DataError
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import BINNED_BY_QUARTILES, DERIVED, Subpopulation
from evalkit.stats.sample_size import feasibility_floor

QUARTILES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One subpopulation: its name (``channel=tweet``), its rows [n], its margin, and whether it decides.

    ``margin`` is None where no accuracy is claimed. ``weight`` is its share of production traffic, in any unit.
    ``merged_into`` names the group that must pass in the place of a too small one. ``columns`` and ``values`` are
    the parts of the name.
    """

    name: str
    rows: NDArray[np.int64]
    margin: float | None
    required: bool
    weight: float | None = None
    merged_into: str | None = None
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """A group that could not pass even if no row spoke against the student: ``reason`` says whether its margin or
    subpopulations.minimum_rows asks for ``rows_needed``."""

    name: str
    n: int
    margin: float | None
    rows_needed: int
    reason: Literal["margin", "minimum_rows"] = "margin"


def groups(
    table: pd.DataFrame,
    by: Sequence[Subpopulation],
    default_margin: float | None,
    *,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    kind: str = CLASSIFICATION,
    labels: tuple[str, ...] = (),
) -> tuple[Group, ...]:
    """Every group of every grouping, in order of the spec and then of its values.

    ``table`` has one row a unit: the aligned table of predictions (ranking: one row a query). A missing value is a
    group of its own, and so is a bin that the spec states and no row falls in (n = 0): what nobody looked at must
    not pass. Of a cross there are the pairs that occur.

    Raises DataError for a column that is not there or cannot be binned, a policy for a value that does not occur,
    two groups of one name, or more than 20,000 groups in all.
    """
    found: list[Group] = []
    for grouping in by:
        found += _split(grouping, _levels(table, grouping, columns, kind, labels), default_margin)
        refuse_too_many(len(found), " and ".join(" × ".join(each.columns) for each in by), len(table))
    _refuse_same_names(found)
    return tuple(found)


def groups_before_predictions(
    units: pd.DataFrame,
    by: Sequence[Subpopulation],
    default_margin: float | None,
    *,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    kind: str = CLASSIFICATION,
) -> tuple[Group, ...]:
    """The same from the held-out units alone, without the groupings that need a model's answers."""
    known = [grouping for grouping in by if not grouping.needs_predictions]
    return groups(units, known, default_margin, columns=columns, kind=kind)


def infeasible(found: Sequence[Group], confidence: float, minimum_rows: int = 1) -> tuple[Infeasible, ...]:
    """The required groups with fewer rows than their feasibility floor z²(1 − δ)/δ or than ``minimum_rows``."""
    return tuple(
        Infeasible(
            name=group.name,
            n=group.n,
            margin=group.margin,
            rows_needed=needed,
            reason="margin" if needed > minimum_rows else "minimum_rows",
        )
        for group in found
        if group.required and group.n < (needed := rows_needed(group.margin, confidence, minimum_rows))
    )


@cache
def rows_needed(margin: float | None, confidence: float, minimum_rows: int) -> int:
    """The fewest rows that a required group may have; its margin counts only where it has one."""
    return max(minimum_rows, 1 if margin is None else feasibility_floor(margin, confidence))


def refuse_infeasible(too_small: Sequence[Infeasible]) -> None:
    """Raises DataError that names the groups and the remedies."""
    if not too_small:
        return
    shown = "; ".join(f"{each.name} has {each.n} rows, needs {each.rows_needed}" for each in too_small[:5])
    more = f" and {len(too_small) - 5} more" if len(too_small) > 5 else ""
    margins = any(each.reason == "margin" for each in too_small)
    raise DataError(
        f"{len(too_small)} required subpopulations are too small ever to pass: {shown}{more}. Collect rows, "
        f"{'widen the margin' if margins else 'lower subpopulations.minimum_rows'}, set required: false, or set "
        "subpopulations.small to inconclusive or merge"
    )


def group_name(columns: Sequence[str], values: Sequence[str]) -> str:
    """``channel=tweet, length=short``."""
    return ", ".join(f"{column}={value}" for column, value in zip(columns, values, strict=True))


def _levels(
    table: pd.DataFrame, grouping: Subpopulation, columns: Columns, kind: str, labels: tuple[str, ...]
) -> list[Levels]:
    own = [column for column in grouping.columns if column not in DERIVED]
    for column in own:
        if is_own(column):
            raise DataError(
                f"subpopulations: '{column}' is a name that the predictions table uses itself; rename the column"
            )
    theirs = table.head(0)[[column for column in table.columns if not is_own(str(column))]]
    require_columns(theirs, own, "data.held_out" if kind != RANKING else "data.held_out, the same in a whole query,")
    series = {column: table[column] for column in own}
    for column in grouping.columns:
        if column in DERIVED:
            series[column] = derived_column(table, column, columns, kind, labels)
    return [_levels_of(series[column], column, grouping) for column in grouping.columns]


def _levels_of(series: pd.Series, column: str, grouping: Subpopulation) -> Levels:
    if column in grouping.bins:
        return binned(series, grouping.bins[column], f"subpopulations.bins: {column}")
    parts = grouping.quantiles.get(column, QUARTILES if column in BINNED_BY_QUARTILES else None)
    if parts is not None:
        return quantiles(series, parts, f"subpopulations.quantiles: {column}")
    return levels_of(series, column)


def _split(grouping: Subpopulation, levels: Sequence[Levels], default_margin: float | None) -> list[Group]:
    codes, combinations = _crossed(levels, " × ".join(grouping.columns))
    values = [
        tuple(level.names[number] for level, number in zip(levels, numbers, strict=True))
        for numbers in combinations.tolist()
    ]
    stated = stated_for(grouping, values, default_margin)
    return [
        Group(
            name=group_name(grouping.columns, own),
            rows=rows,
            margin=what.margin,
            required=what.required,
            weight=what.weight,
            columns=grouping.columns,
            values=own,
        )
        for own, rows, what in zip(values, _rows_by_code(codes, len(values)), stated, strict=True)
    ]


def _crossed(levels: Sequence[Levels], name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``codes`` [n] into ``combinations`` [groups, columns] of level numbers, in rising order."""
    codes = levels[0].codes
    combinations = np.arange(len(levels[0].names), dtype=np.int64)[:, None]
    for level in levels[1:]:
        width = max(1, len(level.names))
        codes, pairs = pd.factorize(codes * width + level.codes, sort=True)
        refuse_too_many(len(pairs), name, len(codes))
        combinations = np.column_stack([combinations[pairs // width], pairs % width])
    return np.asarray(codes, dtype=np.int64), combinations


def _rows_by_code(codes: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """The rows of each of ``count`` codes, in rising order. 16-bit keys are sorted by radix, in one pass."""
    order = np.argsort(codes.astype(np.uint16), kind="stable").astype(np.int64, copy=False)
    ends = np.cumsum(np.bincount(codes, minlength=count))
    return np.split(order, ends[:-1]) if count else []


def _refuse_same_names(found: Sequence[Group]) -> None:
    name, times = max(Counter(group.name for group in found).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise DataError(
            f"subpopulations: {times} groups would be called '{name}'; rename a column or value that holds a comma or ="
        )
