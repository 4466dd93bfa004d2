"""Counts of held-out rows, group by group: what every figure of quality is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from evalkit.stats.paired_counts import PairedCounts

CHANNELS, LENGTHS = ("email", "review", "tweet", "chat"), ("short", "medium", "long")

Cells = Mapping[str, PairedCounts]


def cell(rows: int, *, lost: float, won: float = 0.01, neither: float = 0.05) -> PairedCounts:
    """Counts of ``rows`` rows, of which the student loses and wins these shares against its teacher."""
    b, c, d = round(won * rows), round(lost * rows), round(neither * rows)
    return PairedCounts(both=rows - b - c - d, student_only=b, teacher_only=c, neither=d)


def together(counts: Iterable[PairedCounts]) -> PairedCounts:
    """The counts of all of these rows."""

    def plus(one: PairedCounts, other: PairedCounts) -> PairedCounts:
        return PairedCounts(
            both=one.both + other.both,
            student_only=one.student_only + other.student_only,
            teacher_only=one.teacher_only + other.teacher_only,
            neither=one.neither + other.neither,
        )

    return reduce(plus, counts)


def crossed(rows: int, *, degraded: str | None = None) -> Cells:
    """Four channels, three lengths and their cross; one channel may have lost an eighth of its rows."""
    cells = {
        (channel, length): cell(rows, lost=0.16 if channel == degraded else 0.015 + 0.004 * number)
        for channel in CHANNELS
        for number, length in enumerate(LENGTHS)
    }
    named = {f"channel={channel}": together(cells[channel, each] for each in LENGTHS) for channel in CHANNELS}
    named |= {f"length={length}": together(cells[each, length] for each in CHANNELS) for length in LENGTHS}
    named |= {f"channel={channel}, length={length}": each for (channel, length), each in cells.items()}
    return named


def whole_of(cells: Cells) -> PairedCounts:
    """All rows: every channel once."""
    return together(each for name, each in cells.items() if name.startswith("channel=") and "," not in name)
