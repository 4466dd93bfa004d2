"""A model known only by its recorded predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.data.reading import read_table, require_columns
from evalkit.errors import DataError, InvalidComparison
from evalkit.predictions.aligned import Answers

PREDICTION = "prediction"
SUM_TOLERANCE = 1e-3


def read_recorded(path: Path, name: str, id_column: str, rows: Rows, labels: tuple[str, ...]) -> Answers:
    """Answers from a table with the id column, ``prediction`` and, optionally, ``probability_<label>`` columns.

    Raises DataError for a table that is not one, InvalidComparison where held-out rows have no prediction.
    """
    table = read_table(path, f"{name}.recorded")
    require_columns(table, [id_column, PREDICTION], f"{name}.recorded")
    ids = table[id_column].astype(str)
    if ids.duplicated().any():
        raise DataError(
            f"{name}.recorded has duplicate ids (first: {ids[ids.duplicated()].iloc[0]}); give one row an id"
        )
    table = table.set_index(ids)
    missing = [identity for identity in rows.ids if identity not in table.index]
    if missing:
        raise InvalidComparison(
            f"pairing incomplete: {name}.recorded has no prediction for {len(missing)} of {len(rows)} held-out rows "
            f"(first: {missing[0]})"
        )
    table = table.loc[list(rows.ids)]
    return Answers(
        predicted=_predicted(table[PREDICTION], name, labels),
        probabilities=_probabilities(table, name, labels),
        truncated=0,
    )


def _predicted(column: pd.Series, name: str, labels: tuple[str, ...]) -> NDArray[np.int64]:
    number = {label: index for index, label in enumerate(labels)}
    unknown = sorted({str(answer) for answer in column if str(answer) not in number})
    if unknown:
        raise DataError(
            f"{name}.recorded answers {', '.join(unknown[:5])}, which task.labels does not name ({', '.join(labels)})"
        )
    return np.array([number[str(answer)] for answer in column], dtype=np.int64)


def _probabilities(table: pd.DataFrame, name: str, labels: tuple[str, ...]) -> NDArray[np.float32] | None:
    columns = [f"probability_{label}" for label in labels]
    given = [column for column in columns if column in table.columns]
    if not given:
        return None
    require_columns(table, columns, f"{name}.recorded")
    try:
        values = table[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}.recorded: a probability is not a number ({error}); give one from 0 to 1") from error
    off = ~np.isfinite(values).all(1) | (values < 0).any(1) | (np.abs(values.sum(1) - 1) > SUM_TOLERANCE)
    if off.any():
        raise DataError(
            f"{name}.recorded: probabilities of {int(off.sum())} rows are not finite, not ≥ 0 or do not sum to 1 "
            f"(first: id {table.index[int(np.argmax(off))]})"
        )
    return np.asarray(values, dtype=np.float32)
