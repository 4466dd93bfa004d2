"""Groupings whose groups have production weights: over them the gap is averaged as production would see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedGrouping:
    """``name`` (``channel × length``), its ``groups``, which hold each row once, and their ``shares`` [groups] of
    production traffic, which sum to 1."""

    name: str
    groups: tuple[Group, ...]
    shares: NDArray[np.float64]


def weighted_groupings(found: Sequence[Group]) -> tuple[WeightedGrouping, ...]:
    """The groupings that state weights, in order of the spec. Watched and merged groups count with theirs.

    A share above 0 for a group without rows cannot be averaged: whoever averages must say so.
    """
    by_columns: dict[tuple[str, ...], list[tuple[Group, float]]] = {}
    for group in found:
        if group.weight is not None:
            by_columns.setdefault(group.columns, []).append((group, group.weight))
    return tuple(
        WeightedGrouping(
            name=" × ".join(columns),
            groups=tuple(group for group, _ in members),
            shares=(weights := np.array([weight for _, weight in members], dtype=np.float64)) / weights.sum(),
        )
        for columns, members in by_columns.items()
    )
