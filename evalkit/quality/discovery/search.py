"""The slices of a table in which a loss is highest: every conjunction of up to three conditions is considered.

Sagadeeva & Boehm 2021 (SIGMOD) enumerate conjunctions level by level and drop those whose score cannot reach the best
found so far. So does this, with a table of counts a set of columns (one ``bincount``) in place of a sparse matrix
product a slice, which is exact too and takes less time.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.discovery.scores import FloatArray, Score, SliceLineScore
from evalkit.quality.discovery.value_counts import Cells, Columns, require_codes
from evalkit.stats.preconditions import finite_values, require_count

ROUNDING = 1e-9
Conditions = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Rows that have code c in column j for every (j, c) of ``conditions``, columns rising."""

    conditions: Conditions
    rows: int
    mean_loss: float
    score: float


def search(
    codes: NDArray[np.int32], loss: FloatArray, *, min_rows: int, max_columns: int, most: int = 20, alpha: float = 0.95
) -> tuple[Slice, ...]:
    """The ``most`` slices with the highest SliceLine score above 0, the highest first.

    ``codes`` [n, columns] are counts from 0, one a value of the column; ``loss`` [n] is any finite loss, such as
    teacher right − student right. Of equal scores the slice with fewer conditions comes first, then the one of the
    earlier columns and codes. A loss that is 0 in every row has no slices.

    Raises ValueError for other shapes or codes, a loss that is not finite, or an ``alpha`` outside (0, 1].

    >>> codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 25, dtype=np.int32)
    >>> loss = np.where(codes[:, 0] == 1, 1.0, 0.0)
    >>> search(codes, loss, min_rows=10, max_columns=2)[0]
    Slice(conditions=((0, 1),), rows=50, mean_loss=1.0, score=0.8999999999999999)
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}; give a weight of the loss against the size in (0, 1], e.g. 0.95")
    values = finite_values("loss", loss)
    require_codes(codes, values)
    if not values.any():
        return ()
    score = SliceLineScore.of(values, alpha)
    return best_slices(codes, values, score, min_rows=min_rows, max_columns=max_columns, most=most)


def best_slices(
    codes: NDArray[np.int32],
    loss: FloatArray,
    score: Score,
    *,
    min_rows: int,
    max_columns: int,
    most: int,
    apart: frozenset[frozenset[int]] = frozenset(),
) -> tuple[Slice, ...]:
    """As ``search``, by any score; columns that are ``apart`` are never crossed with each other."""
    values = finite_values("loss", loss)
    require_count("min_rows", min_rows, at_least=1)
    require_count("max_columns", max_columns, at_least=1)
    require_count("most", most, at_least=1)
    columns = Columns.of(codes, values, min_rows)
    best = _Best(most)
    parents: dict[tuple[int, ...], Cells] = {}
    for level in range(1, max_columns + 1):
        parents = _level(columns, score, level, parents, best, apart)
    return best.slices()


def _level(
    columns: Columns,
    score: Score,
    level: int,
    parents: dict[tuple[int, ...], Cells],
    best: _Best,
    apart: frozenset[frozenset[int]],
) -> dict[tuple[int, ...], Cells]:
    """Offers every slice of ``level`` conditions, and gives back the counts of the column sets worth crossing on."""
    counted: dict[tuple[int, ...], Cells] = {}
    for chosen in itertools.combinations(range(columns.number), level):
        if any(frozenset(pair) in apart for pair in itertools.combinations(chosen, 2)):
            continue
        if level > 1 and not _promising(columns, score, chosen, parents, best.threshold):
            continue
        cells = columns.cells(chosen)
        best.offer(columns, chosen, cells, score)
        counted[chosen] = cells
    return counted


def _promising(
    columns: Columns, score: Score, chosen: tuple[int, ...], parents: dict[tuple[int, ...], Cells], threshold: float
) -> bool:
    """Whether any slice over the ``chosen`` columns may reach the threshold.

    A slice has at most the rows and at most the positive loss of each wider slice that it lies in; where one set of
    ``parents`` was not worth counting, no slice is.
    """
    around = [parents.get(chosen[:axis] + chosen[axis + 1 :]) for axis in range(len(chosen))]
    known = [cells.expanded(axis) for axis, cells in enumerate(around) if cells is not None]
    if len(known) < len(chosen):
        return False
    rows, positive = (functools.reduce(np.minimum, limits) for limits in zip(*known, strict=True))
    large = rows >= columns.min_rows
    bound = _highest(score, rows[large], positive[large], columns)
    return bool(np.any(bound >= threshold - ROUNDING * max(1.0, abs(threshold))))


def _highest(score: Score, rows: FloatArray, positive: FloatArray, columns: Columns) -> FloatArray:
    """No slice inside one with ``rows`` rows and that sum of ``positive`` loss scores higher."""
    fewest, most_loss = float(columns.min_rows), columns.most_loss
    meeting = positive / most_loss if most_loss > 0 else np.full_like(rows, fewest)
    sizes = [np.full_like(rows, fewest), np.clip(meeting, fewest, rows), rows]
    bounds = [score(size, np.minimum(size * most_loss, positive)) for size in sizes]
    return np.asarray(np.max(bounds, axis=0), dtype=np.float64)


class _Best:
    """The highest-scoring slices offered so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[float, int, Conditions, int, float]] = []

    @property
    def threshold(self) -> float:
        """A score below this one cannot come in."""
        return -self._kept[-1][0] if len(self._kept) == self._most else 0.0

    def offer(self, columns: Columns, chosen: tuple[int, ...], cells: Cells, score: Score) -> None:
        large = np.flatnonzero(cells.rows.ravel() >= columns.min_rows)
        rows, total = cells.rows.ravel()[large], cells.total.ravel()[large]
        scores = score(rows, total)
        coming_in = np.flatnonzero((scores > 0) & (scores >= self.threshold))
        for index in coming_in:
            place = np.unravel_index(large[index], cells.rows.shape)
            conditions = tuple(
                (column, columns.code(column, int(at))) for column, at in zip(chosen, place, strict=True)
            )
            mean = float(total[index] / rows[index])
            self._kept.append((-float(scores[index]), len(chosen), conditions, int(rows[index]), mean))
        if len(coming_in):
            self._kept = sorted(self._kept)[: self._most]

    def slices(self) -> tuple[Slice, ...]:
        return tuple(
            Slice(conditions=conditions, rows=rows, mean_loss=mean, score=-negated)
            for negated, _, conditions, rows, mean in self._kept
        )
