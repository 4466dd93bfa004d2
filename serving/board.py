"""The figures of all worker processes side by side in shared memory: one row each, added up when somebody asks.

A row outlives its process, so that no count goes back when a worker is replaced.
"""

from __future__ import annotations

import mmap
import os
import tempfile

from serving.figures import CELLS, GAUGES, Numbers

_BYTES = 8


class Board:
    """`rows` rows of `CELLS` float64 numbers. Each row has one writer; anybody may read."""

    def __init__(self, memory: memoryview, rows: int, descriptor: int | None = None) -> None:
        self.rows = rows
        self.descriptor = descriptor
        self._numbers: Numbers = memory.cast("d")

    @classmethod
    def private(cls) -> Board:
        """One row, for this process alone."""
        return cls(memoryview(bytearray(CELLS * _BYTES)), 1)

    @classmethod
    def shared(cls, rows: int) -> Board:
        """A board that processes which inherit `descriptor` can attach to."""
        descriptor = _anonymous_file()
        os.ftruncate(descriptor, rows * CELLS * _BYTES)
        return cls.attached(descriptor, rows)

    @classmethod
    def attached(cls, descriptor: int, rows: int) -> Board:
        """The board behind a descriptor that `shared` made."""
        return cls(memoryview(mmap.mmap(descriptor, rows * CELLS * _BYTES)), rows, descriptor)

    def row(self, index: int) -> Numbers:
        """The numbers of one process."""
        return self._numbers[index * CELLS : (index + 1) * CELLS]

    def clear_gauges(self, index: int) -> None:
        """Forget what was true of a process that ended."""
        row = self.row(index)
        for cell in GAUGES:
            row[cell] = 0.0

    def total(self) -> list[float]:
        """The rows added up."""
        return [sum(column) for column in zip(*(self.row(index) for index in range(self.rows)), strict=True)]


def _anonymous_file() -> int:
    """Memory where the system has it, else a file without a name; gone with the last process that holds it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("evalkit-figures")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
