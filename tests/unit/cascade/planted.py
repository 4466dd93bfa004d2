"""A teacher and a student whose confidence says where it is wrong, with known rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.cascade.cascade import CascadeQuestion
from evalkit.decision.requirement import Direction, Requirement
from evalkit.quality.paired_gap import GAP, paired_measurements
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS

LABELS = ("no", "yes")


def planted(rows: int, loss_at: Any, seed: int) -> pd.DataFrame:
    """The teacher is always right; the student is wrong with probability ``loss_at`` (its confidence, uniform on
    [0.5, 1])."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    confidence = rng.uniform(0.5, 1.0, rows)
    student = np.where(rng.random(rows) < loss_at(confidence), 1 - truth, truth)
    yes = np.where(student == 1, confidence, 1 - confidence)
    names = np.array(LABELS)
    return pd.DataFrame(
        {
            "row_id": [f"row-{number}" for number in range(rows)],
            "row_label": names[truth],
            "teacher": names[truth],
            "student": names[student],
            "student_probability_no": 1 - yes,
            "student_probability_yes": yes,
            "teacher_probability_no": np.where(truth == 0, 0.9, 0.1),
            "teacher_probability_yes": np.where(truth == 1, 0.9, 0.1),
        }
    )


def gap_claim(margin: float, where: str = ALL_ROWS) -> Requirement:
    return Requirement(measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE)


def stated(value: float) -> Interval:
    return Interval(point=value, lower=value, upper=value, level=1.0, n=1, method="stated")


def question(table: pd.DataFrame, requirements: Sequence[Requirement], **more: Any) -> CascadeQuestion:
    """Teacher 800 and student 100 USD a million, judged at one-sided 95 %."""
    given: dict[str, Any] = {
        "table": table,
        "labels": LABELS,
        "clusters": None,
        "measure": lambda mix, everything: paired_measurements(mix, (), None, 0.9),
        "requirements": tuple(requirements),
        "confidence": 0.95,
        "latencies": None,
        "costs": {"teacher": stated(800), "student": stated(100), "reduction": stated(8)},
    }
    return CascadeQuestion(**{**given, **more})
