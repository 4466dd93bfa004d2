"""One quantity of teacher and student, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement
from reports.claims import is_void
from reports.naming import estimate_text

ROLES = ("teacher", "student")
NOT_MEASURED, NOT_COMPARED = "not measured", "not compared"
VOID = "■ VOID"
Named = Mapping[str, Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One quantity of both models, and what follows from the two."""

    what: str
    teacher: str
    student: str
    comparison: str = NOT_COMPARED


def compared(named: Named, name: str, how: str) -> str:
    """What a ratio of both came to, or why there is none."""
    measured = named.get(name)
    if measured is None:
        return NOT_MEASURED
    if not isinstance(measured.value, Interval):
        return VOID if is_void(measured.value) else estimate_text(name, measured.value)
    return f"{estimate_text(name, measured.value)} {how}"
