"""From an API teacher's answers to what a student is taught: which rows, and how likely each label is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DataError
from evalkit.predictions.recorded import PREDICTION
from evalkit.spec.gate import OUTSIDE
from evalkit.spec.teacher_api import SoftLabels

ROUNDING = 1e-9
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """``rows`` [taught] are numbers of the answers' table, ``probabilities`` [taught, labels] add up to 1 in each.
    ``left_out`` counts the other rows by why, ``unlike`` the taught ones whose answer is not their likeliest label."""

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    left_out: dict[str, int]
    unlike: int


def taught_by(table: pd.DataFrame, labels: Sequence[str], soft: SoftLabels | None) -> Taught:
    """What the answers of ``table`` (`evalkit label`'s answers.parquet) teach.

    A row answered outside the labels, or not at all, teaches nothing. Without soft labels the answer has probability 1.
    Of several samples the smoothed shares of votes count, where one vote is for a label. Of listed probabilities the
    mass of each label counts, renormalised over the labels: that is the teacher's probability given that it answers
    with a label. A row teaches where listed ÷ (listed + missing) is at least ``soft.least_listed``; no probability is
    then further from the one with nothing missing than 1 − ``soft.least_listed``. Raises DataError where no row is
    left.
    """
    labels, said = tuple(labels), table[PREDICTION].to_numpy(dtype=object)
    shares = _answers(said, labels) if soft is None else _masses(table, labels)
    left_out, keep = _counted(_reasons(table, shares, soft), len(table))
    rows = np.flatnonzero(keep)
    if not len(rows):
        why = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in left_out.items())
        raise DataError(
            f"none of the {len(table):,} training texts has an answer to learn from ({why}); name the labels in "
            "teacher.api.instruction, or ask for other soft labels"
        )
    kept = shares[rows] / shares[rows].sum(1, keepdims=True)
    likeliest = np.asarray(labels, dtype=object)[kept.argmax(1)]
    unlike = int(((likeliest != said[rows]) & np.isin(said[rows].astype(str), labels)).sum())
    return Taught(rows=rows, probabilities=kept.astype(np.float32), left_out=left_out, unlike=unlike)


def _reasons(table: pd.DataFrame, shares: Floats, soft: SoftLabels | None) -> dict[str, NDArray[np.bool_]]:
    """Why rows are left out [n], by name."""
    if soft is not None and soft.source == "samples":
        missing, outside = (table[f"votes_{each}"].to_numpy(dtype=np.int64) for each in ("missing", "outside"))
        return {"unanswered": missing == soft.samples, "outside": missing + outside == soft.samples}
    reasons = {
        "unanswered": table[PREDICTION].isna().to_numpy(dtype=np.bool_),
        "outside": (table[PREDICTION] == OUTSIDE).to_numpy(dtype=np.bool_),
    }
    if soft is None:
        return reasons
    listed = shares.sum(1)
    known = listed / np.maximum(listed + table["mass_missing"].to_numpy(dtype=np.float64), ROUNDING)
    return {**reasons, "too_little_listed": (listed <= 0) | (known < soft.least_listed - ROUNDING)}


def _answers(said: NDArray[np.object_], labels: tuple[str, ...]) -> Floats:
    return np.stack([said == label for label in labels], axis=1).astype(np.float64)


def _masses(table: pd.DataFrame, labels: tuple[str, ...]) -> Floats:
    return table[[f"mass_{label}" for label in labels]].to_numpy(dtype=np.float64)


def _counted(reasons: dict[str, NDArray[np.bool_]], n: int) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """Rows left out for each reason, counted under the first that holds, and the rows that are kept [n]."""
    keep, counts = np.ones(n, dtype=np.bool_), {}
    for name, holds in reasons.items():
        counts[name] = int((keep & holds).sum())
        keep &= ~holds
    return counts, keep
