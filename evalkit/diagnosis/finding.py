"""What went wrong, in the field's words, with the number that says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalkit.stats.measurement import Measurement


class FailureMode(StrEnum):
    """How distillation fails."""

    WRONG_METRIC = "aggregate hides a degraded subpopulation"
    DISTRIBUTION_MISMATCH = "distribution mismatch"
    TEACHER_ERRORS = "teacher errors baked in"
    OVER_COMPRESSION = "over-compression"
    UNDER_TRAINING = "training fell short"
    COVERAGE = "training text covers too little"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``fired`` says whether the evidence is there; what to do about it stands beside.

    ``examples`` are rows to look at: their ids, or, of production texts, which have none, the texts cut short.
    """

    failure_mode: FailureMode
    measurement: Measurement
    fired: bool
    explanation: str
    corrective_practice: str
    examples: tuple[str, ...] = ()
