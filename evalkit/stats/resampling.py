"""Draws with replacement, as weights: how often each unit is in each resample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# No block of weights, with what it takes to draw it, is larger than this.
BLOCK_BYTES = 64 * 2**20

# A binomial draw (one a cell) costs about this many draws of a row number (one a row).
_ROWS_PER_CELL = 16

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def resamples(counts: IntArray, replicates: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Blocks of weights, shape (B, m), ``replicates`` rows in all, for m cells that hold ``counts`` units.

    Every row is Multinomial(n, counts / n) with n = Σ counts: n units drawn with replacement and
    counted by cell. A block takes at most ``BLOCK_BYTES``, or one row where that is more.
    """
    n, cells = int(counts.sum()), counts.size
    by_cell = cells * _ROWS_PER_CELL <= n
    bytes_a_row = 8 * (2 * cells if by_cell else 2 * cells + 2 * n)
    block = max(1, BLOCK_BYTES // bytes_a_row)
    cell_of = None if by_cell or cells == n else np.repeat(np.arange(cells), counts)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        if by_cell:
            yield rng.multinomial(n, counts / n, size=size).astype(np.float64)
        else:
            yield _counted(rng.integers(n, size=(size, n)), cell_of, cells)


def _counted(rows: IntArray, cell_of: IntArray | None, cells: int) -> FloatArray:
    drawn = rows if cell_of is None else cell_of[rows]
    drawn += np.arange(len(drawn))[:, np.newaxis] * cells
    counted = np.bincount(drawn.ravel(), minlength=len(drawn) * cells)
    return counted.reshape(len(drawn), cells).astype(np.float64)
