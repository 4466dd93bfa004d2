"""How many rows, and how much loss, every combination of values of a few columns has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.discovery.scores import FloatArray

MOST_VALUES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One entry a combination of values, an axis a column: its ``rows``, the ``total`` of their loss, and the
    ``positive`` part of that total."""

    rows: FloatArray
    total: FloatArray
    positive: FloatArray

    def expanded(self, axis: int) -> tuple[FloatArray, FloatArray]:
        """Rows and positive loss, to be broadcast along one more column at ``axis``."""
        return np.expand_dims(self.rows, axis), np.expand_dims(self.positive, axis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A table's columns as indices of their frequent values, ready to be counted.

    ``values`` holds the frequent codes of each column; rows with another code have the index len(values), and
    never count.
    """

    indices: tuple[NDArray[np.intp], ...]
    values: tuple[NDArray[np.int64], ...]
    losing: NDArray[np.intp]
    loss: FloatArray
    min_rows: int
    most_loss: float

    @classmethod
    def of(cls, codes: NDArray[np.int32], loss: FloatArray, min_rows: int) -> Columns:
        """Raises ValueError as ``require_codes``, or where more than 128 values of one column are frequent."""
        require_codes(codes, loss)
        indexed = [_frequent(codes[:, column], column, min_rows) for column in range(codes.shape[1])]
        losing = np.flatnonzero(loss)
        return cls(
            indices=tuple(indices for indices, _ in indexed),
            values=tuple(values for _, values in indexed),
            losing=losing,
            loss=loss[losing],
            min_rows=min_rows,
            most_loss=float(loss.max(initial=-np.inf)),
        )

    @property
    def number(self) -> int:
        return len(self.indices)

    def code(self, column: int, index: int) -> int:
        return int(self.values[column][index])

    def cells(self, chosen: tuple[int, ...]) -> Cells:
        """Counts over the ``chosen`` columns, without the values that are not frequent."""
        key = self.indices[chosen[0]]
        for column in chosen[1:]:
            key = key * (len(self.values[column]) + 1) + self.indices[column]
        losing = key[self.losing]
        rows = self._table(chosen, np.bincount(key, minlength=self._size(chosen)))
        total = self._table(chosen, np.bincount(losing, weights=self.loss, minlength=self._size(chosen)))
        if not len(self.loss) or self.loss.min() >= 0:
            return Cells(rows=rows, total=total, positive=total)
        gained = np.bincount(losing, weights=np.maximum(self.loss, 0.0), minlength=self._size(chosen))
        return Cells(rows=rows, total=total, positive=self._table(chosen, gained))

    def _size(self, chosen: tuple[int, ...]) -> int:
        return int(np.prod([len(self.values[column]) + 1 for column in chosen]))

    def _table(self, chosen: tuple[int, ...], flat: NDArray[np.generic]) -> FloatArray:
        table = flat.reshape([len(self.values[column]) + 1 for column in chosen])
        frequent = table[tuple(slice(0, -1) for _ in chosen)]
        return np.ascontiguousarray(frequent, dtype=np.float64)


def require_codes(codes: NDArray[np.int32], loss: FloatArray) -> None:
    """Raises ValueError where codes and loss do not belong together or a code is negative."""
    if codes.ndim != 2 or len(codes) != len(loss):
        raise ValueError(
            f"codes has shape {codes.shape} and loss {loss.shape}; give [n, columns] and [n] of the same rows"
        )
    if codes.size and codes.min() < 0:
        raise ValueError(f"codes holds {codes.min()}; a code counts from 0, and a missing value has one of its own")


def _frequent(codes: NDArray[np.int32], column: int, min_rows: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Each row's index into the codes that at least ``min_rows`` rows have, and those codes."""
    counts = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.intp)
    values = np.flatnonzero(counts >= min_rows).astype(np.int64)
    if len(values) > MOST_VALUES:
        raise ValueError(
            f"column {column} has {len(values)} values of at least {min_rows} rows; pool the rare ones to at most "
            f"{MOST_VALUES}"
        )
    index_of = np.full(len(counts), len(values), dtype=np.intp)
    index_of[values] = np.arange(len(values))
    return index_of[codes], values
