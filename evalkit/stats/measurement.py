"""One measured quantity with its unit, its evidence and, where rows are paired, their counts."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.stats.interval import Estimate
from evalkit.stats.paired_counts import PairedCounts

ALL_ROWS = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """``name`` carries sign and unit (``student_minus_teacher_accuracy``, ``student_p99_ms``).

    ``evidence`` is the file, relative to the run folder, from which the value was computed.
    ``counts`` is there for paired proportions only: exact tests and sample sizes need it.
    """

    name: str
    subpopulation: str
    unit: str
    value: Estimate
    evidence: str
    counts: PairedCounts | None = None
