"""Required groups too small ever to pass: their parent is asked in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalkit.data.subpopulations import Group, group_name, rows_needed
from evalkit.stats.measurement import ALL_ROWS

Cell = frozenset[tuple[str, str]]
"""A group by its columns' values, in whatever order they are crossed."""
EVERYONE: Cell = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """``groups`` with the parents that now carry a claim. ``overall_margin`` is what all rows must keep to: the
    spec's own, or the strictest of the groups merged into all rows where the spec has none."""

    groups: tuple[Group, ...]
    overall_margin: float | None


def merge_small(
    found: Sequence[Group], overall_margin: float | None, confidence: float, minimum_rows: int = 1
) -> Merged:
    """In the place of each required group that is too small, the nearest parent that is not must pass: the cross
    without its last column, its last two …, and all rows for a single column.

    A parent with a claim of its own keeps its margin, and one too small for it is passed over. Any other gets the
    strictest margin of those judged within it: it is added at the end, or made required where it was only watched. A
    merged group stays in its place with its rows, its margin and ``merged_into``: it is no longer required, and is
    still tested, since a few rows can show that it is broken though they can never show that it is not.
    """
    small = [
        group for group in found if group.required and group.n < rows_needed(group.margin, confidence, minimum_rows)
    ]
    declared = {_cell(group): group for group in found}
    parents = _parents(small, found, declared)
    homes = {group.name: _home(group, parents, confidence, minimum_rows) for group in small}
    asked = _asked(small, homes)
    kept = [_judged(group, homes, parents, asked) for group in found]
    added = [
        replace(parents[home], margin=margin, required=True)
        for home, margin in asked.items()
        if home != EVERYONE and home not in declared
    ]
    overall = asked.get(EVERYONE) if overall_margin is None else overall_margin
    return Merged(groups=(*kept, *added), overall_margin=overall)


def _cell(group: Group) -> Cell:
    return frozenset(zip(group.columns, group.values, strict=True))


def _has_claim(group: Group) -> bool:
    return group.required and group.margin is not None


def _outwards(group: Group) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Columns and values of each parent, the nearest first."""
    return [(group.columns[:depth], group.values[:depth]) for depth in range(len(group.columns) - 1, 0, -1)]


def _parents(small: Sequence[Group], found: Sequence[Group], declared: Mapping[Cell, Group]) -> dict[Cell, Group]:
    """The parents of the small groups: as declared, or else with the rows of all that they hold."""
    wanted = {(group.columns, values) for group in small for _, values in _outwards(group)}
    held: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Group]] = {key: [] for key in wanted}
    for group in found:
        for _, values in _outwards(group):
            if (group.columns, values) in held:
                held[group.columns, values].append(group)
    parents = {}
    for (columns, values), children in held.items():
        own = columns[: len(values)]
        cell = frozenset(zip(own, values, strict=True))
        parents[cell] = declared.get(cell) or Group(
            name=group_name(own, values),
            rows=np.sort(np.concatenate([child.rows for child in children])),
            margin=None,
            required=False,
            columns=own,
            values=values,
        )
    return parents


def _home(group: Group, parents: Mapping[Cell, Group], confidence: float, minimum_rows: int) -> Cell:
    """The nearest parent with rows enough for its own claim or, where it has none, for this group's."""
    for columns, values in _outwards(group):
        cell = frozenset(zip(columns, values, strict=True))
        parent = parents[cell]
        margin = parent.margin if _has_claim(parent) else group.margin
        if parent.n >= rows_needed(margin, confidence, minimum_rows):
            return cell
    return EVERYONE


def _judged(
    group: Group, homes: Mapping[str, Cell], parents: Mapping[Cell, Group], asked: Mapping[Cell, float | None]
) -> Group:
    """A group as it is judged now: within another, as a parent that was only watched, or as before."""
    if group.name in homes:
        home = homes[group.name]
        return replace(group, required=False, merged_into=ALL_ROWS if home == EVERYONE else parents[home].name)
    cell = _cell(group)
    if cell != EVERYONE and cell in asked and not _has_claim(group):
        return replace(group, required=True, margin=asked[cell])
    return group


def _asked(small: Sequence[Group], homes: Mapping[str, Cell]) -> dict[Cell, float | None]:
    """The strictest margin of the groups that each parent takes in; None where none of them has one."""
    asked: dict[Cell, float | None] = {}
    for group in small:
        margins = [margin for margin in (asked.get(homes[group.name]), group.margin) if margin is not None]
        asked[homes[group.name]] = min(margins, default=None)
    return asked
