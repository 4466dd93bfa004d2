"""The student answers what it is sure of and the teacher the rest: who answers which row, and what is then answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.predictions.aligned import STUDENT, TEACHER

SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
"""Shares of rows to send to the teacher, the safest first."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def top_probability(table: pd.DataFrame, labels: Sequence[str]) -> FloatArray | None:
    """The student's probability of its most likely label [n]; None where it gave no probabilities."""
    columns = [f"{STUDENT}_probability_{label}" for label in labels]
    if not labels or any(column not in table.columns for column in columns):
        return None
    return np.asarray(table[columns].to_numpy(dtype=np.float64).max(axis=1), dtype=np.float64)


def thresholds(confidence: FloatArray, shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Thresholds below which about the given shares of rows lie, falling; each sends other rows, and none sends
    none or all.

    They depend on how sure the student is and not on whether it is right, so that their order is known before anything
    is judged.

    >>> thresholds(np.linspace(0.01, 1.0, 100), shares=(0.9, 0.5, 0.1))
    (0.91, 0.51, 0.11)
    """
    ordered = np.sort(confidence)
    found: dict[int, float] = {}
    for share in shares:
        at = float(ordered[min(len(ordered) - 1, round(share * len(ordered)))])
        sent = int(np.searchsorted(ordered, at, side="left"))
        if 0 < sent < len(ordered):
            found.setdefault(sent, at)
    return tuple(found.values())


def mixed(table: pd.DataFrame, labels: Sequence[str], sent: BoolArray) -> pd.DataFrame:
    """The aligned table of a student that passes the rows ``sent`` [n] on: there the teacher's answers and
    probabilities stand in its place. Where the teacher gave no probabilities, the mix has none."""
    made = {STUDENT: table[STUDENT].where(~sent, table[TEACHER])}
    ours = [f"{STUDENT}_probability_{label}" for label in labels]
    theirs = [f"{TEACHER}_probability_{label}" for label in labels]
    if not all(column in table.columns for column in theirs):
        return table.assign(**made).drop(columns=[column for column in ours if column in table.columns])
    for own, other in zip(ours, theirs, strict=True):
        if own in table.columns:
            made[own] = table[own].where(~sent, table[other])
    return table.assign(**made)
