"""Recorded probabilities: numbers from 0 to 1 that agree with the recorded answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.reading import require_columns
from evalkit.data.truth import CLASSIFICATION
from evalkit.errors import DataError

SUM_TOLERANCE = 1e-3
TIE_TOLERANCE = 1e-6


def recorded_probabilities(
    table: pd.DataFrame, name: str, labels: tuple[str, ...], kind: str
) -> NDArray[np.float64] | None:
    """``probability_<label>`` columns [n, labels] of a table indexed by id; None where there are none.

    Raises DataError where a label's column is missing, or where a value is not finite, not from 0 to 1 or, in
    classification, where a row does not sum to 1.
    """
    columns = [f"probability_{label}" for label in labels]
    if not any(column in table.columns for column in columns):
        return None
    require_columns(table, columns, f"{name}.recorded")
    try:
        values = table[columns].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}.recorded: a probability is not a number ({error}); give one from 0 to 1") from error
    if kind == CLASSIFICATION:
        rule = "not finite, not ≥ 0 or do not sum to 1"
        off = ~np.isfinite(values).all(1) | (values < 0).any(1) | (np.abs(values.sum(1) - 1) > SUM_TOLERANCE)
    else:
        rule = "not finite or not from 0 to 1"
        off = ~((values >= 0) & (values <= 1)).all(1)
    if off.any():
        raise DataError(
            f"{name}.recorded: probabilities of {int(off.sum())} rows are {rule} "
            f"(first: id {table.index[int(np.argmax(off))]})"
        )
    return values


def refuse_contradicted(
    predicted: NDArray[np.int64], probabilities: NDArray[np.float64], ids: pd.Index, name: str, labels: tuple[str, ...]
) -> None:
    """Raises DataError where an answer ``predicted`` [n] is not the likeliest label of its own probabilities
    [n, labels], up to 1e-6: one of the two belongs to another model or row."""
    own = probabilities[np.arange(len(predicted)), predicted]
    wrong = own < probabilities.max(axis=1) - TIE_TOLERANCE
    if wrong.any():
        first = int(np.argmax(wrong))
        likeliest = labels[int(probabilities[first].argmax())]
        raise DataError(
            f"{name}.recorded: {int(wrong.sum())} predictions contradict their own probabilities (first: id "
            f"{ids[first]} answers {labels[predicted[first]]}, likeliest is {likeliest}); correct them, or leave the "
            "probability columns out where the model decides by a threshold"
        )
