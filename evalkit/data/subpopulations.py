"""Held-out rows grouped by columns and crosses of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.reading import require_columns
from evalkit.errors import DataError
from evalkit.spec.gate import Subpopulation
from evalkit.stats.sample_size import feasibility_floor

MISSING = "(missing)"
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One subpopulation: its name (``channel=tweet``), its rows [n], its margin, and whether it decides."""

    name: str
    rows: NDArray[np.int64]
    margin: float
    required: bool

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """A group that could not pass at its margin even if no row spoke against the student."""

    name: str
    n: int
    margin: float
    rows_needed: int


def groups(table: pd.DataFrame, by: Sequence[Subpopulation], default_margin: float) -> tuple[Group, ...]:
    """Every group of every grouping, in order of the spec and then of its values.

    A missing value is a group of its own. Raises DataError for a column that is not there or a
    grouping that splits the rows into more than 1,000 groups.
    """
    found: list[Group] = []
    for grouping in by:
        require_columns(table, grouping.columns, "data.held_out")
        found += _split(table, grouping, default_margin)
    return tuple(found)


def infeasible(found: Sequence[Group], confidence: float) -> tuple[Infeasible, ...]:
    """The required groups below their feasibility floor z²(1 − δ)/δ."""
    return tuple(
        Infeasible(name=group.name, n=group.n, margin=group.margin, rows_needed=needed)
        for group in found
        if group.required and group.n < (needed := feasibility_floor(group.margin, confidence))
    )


def refuse_infeasible(too_small: Sequence[Infeasible]) -> None:
    """Raises DataError that names the groups and the remedies."""
    if not too_small:
        return
    shown = "; ".join(f"{each.name} has {each.n} rows, needs {each.rows_needed}" for each in too_small[:5])
    more = f" and {len(too_small) - 5} more" if len(too_small) > 5 else ""
    raise DataError(
        f"{len(too_small)} required subpopulations are too small ever to pass at their margin: {shown}{more}. "
        "Collect rows, widen the margin, set required: false, or set subpopulations.small: inconclusive"
    )


def _split(table: pd.DataFrame, grouping: Subpopulation, default_margin: float) -> list[Group]:
    keys = [table[column].astype("object").where(table[column].notna(), MISSING) for column in grouping.columns]
    members = pd.Series(np.arange(len(table))).groupby([key.astype(str).to_numpy() for key in keys]).indices
    if len(members) > MOST_GROUPS:
        raise DataError(
            f"subpopulations: {' × '.join(grouping.columns)} splits {len(table)} rows into {len(members)} groups; "
            f"at most {MOST_GROUPS} are allowed. Bin the column first"
        )
    margin = default_margin if grouping.margin is None else grouping.margin
    in_order = sorted(members.items(), key=lambda item: [_by_number(part) for part in _tuple(item[0])])
    return [
        Group(
            name=", ".join(f"{column}={value}" for column, value in zip(grouping.columns, _tuple(key), strict=True)),
            rows=np.asarray(rows, dtype=np.int64),
            margin=margin,
            required=grouping.required,
        )
        for key, rows in in_order
    ]


def _by_number(value: object) -> tuple[int, float, str]:
    """Missing values first, then numbers by size, then words."""
    if value == MISSING:
        return 0, 0.0, ""
    try:
        return 1, float(str(value)), ""
    except ValueError:
        return 2, 0.0, str(value)


def _tuple(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)
