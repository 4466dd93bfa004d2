"""Counts and shortcuts for what would have changed an outcome."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.decision.evidence import claims_of
from evalkit.decision.requirement import Requirement
from evalkit.decision.stability import Stability, stability_of
from evalkit.decision.standing import standing_of
from evalkit.decision.verdict import decide
from evalkit.stats.measurement import Measurement

CONFIDENCE, LEVEL = 0.95, 0.90
SAME = {"both": 900, "neither": 100}
SLIGHTLY_WORSE = {"both": 860, "student_only": 20, "teacher_only": 40, "neither": 80}
MUCH_WORSE = {"both": 800, "teacher_only": 150, "neither": 50}
ON_TOO_FEW_ROWS = {"both": 27, "neither": 3}
COST = "teacher_over_student_cost"


def stability(claims: Sequence[Requirement], measured: Sequence[Measurement]) -> Stability:
    found = decide(claims, measured, [], CONFIDENCE).stability
    assert found is not None
    return found


def alone(claims: Sequence[Requirement], measured: Sequence[Measurement]) -> Stability:
    """The same without the rest of the verdict, which takes longer."""
    return stability_of(standing_of(claims_of(claims, measured, CONFIDENCE), CONFIDENCE, is_barred=False))
