"""The checked tables of one gate: training texts and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.reading import require_columns
from evalkit.errors import DataError
from evalkit.spec.gate import Columns

NO_LABEL = -1
OWN_COLUMNS = ("row_id", "row_label", "teacher", "student")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """``ids`` and ``texts`` [n], ``labels`` [n] as numbers into the task's labels (−1 = none), and every
    column of the table as it was read."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.ids)


def held_out_rows(table: pd.DataFrame, columns: Columns, labels: tuple[str, ...]) -> Rows:
    """Held-out rows: each with an id of its own, a text and a known label. Raises DataError."""
    if table.empty:
        raise DataError("data.held_out has no rows; there is nothing to evaluate on")
    rows = _rows(table, columns, labels, "data.held_out", id_required=True)
    unlabelled = int((rows.labels == NO_LABEL).sum())
    if unlabelled:
        raise DataError(
            f"data.held_out has {unlabelled} rows without a '{columns.label}'; label them or leave them out"
        )
    return rows


def training_rows(table: pd.DataFrame, columns: Columns, labels: tuple[str, ...]) -> Rows:
    """Training rows; those without a label are kept for the teacher's output alone. Raises DataError."""
    if table.empty:
        raise DataError("data.train has no rows; there is nothing to learn from")
    return _rows(table, columns, labels, "data.train", id_required=False)


def _rows(table: pd.DataFrame, columns: Columns, labels: tuple[str, ...], name: str, *, id_required: bool) -> Rows:
    if columns.cluster in OWN_COLUMNS:
        raise DataError(
            f"{name}: the cluster column '{columns.cluster}' has a name that the predictions table uses itself "
            f"({', '.join(OWN_COLUMNS)}); rename it"
        )
    required = [columns.text, columns.label] + ([columns.id] if id_required else [])
    required += [columns.cluster] if columns.cluster and id_required else []
    require_columns(table, required, name)
    table = table.reset_index(drop=True)
    return Rows(
        ids=_ids(table, columns.id, name),
        texts=_texts(table, columns.text, name),
        labels=_labels(table, columns.label, labels, name),
        table=table,
    )


def _ids(table: pd.DataFrame, column: str, name: str) -> tuple[str, ...]:
    if column not in table.columns:
        return tuple(str(number) for number in range(len(table)))
    absent = table[column].isna()
    if absent.any():
        raise DataError(f"{name} column '{column}' is empty in {int(absent.sum())} rows; give each row its own id")
    ids = table[column].astype(str)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise DataError(
            f"{name} column '{column}' has {len(twice)} duplicate ids (first: {twice.iloc[0]}); give each row its own"
        )
    return tuple(ids)


def _texts(table: pd.DataFrame, column: str, name: str) -> tuple[str, ...]:
    texts = table[column]
    empty = texts.isna() | (texts.astype(str).str.strip() == "")
    if empty.any():
        raise DataError(
            f"{name} column '{column}' is empty in {int(empty.sum())} rows (first: row {int(np.argmax(empty))}); "
            "leave those rows out"
        )
    return tuple(texts.astype(str))


def _labels(table: pd.DataFrame, column: str, labels: tuple[str, ...], name: str) -> NDArray[np.int64]:
    given = table[column]
    number = {label: index for index, label in enumerate(labels)}
    known = given.astype("object").map(lambda label: NO_LABEL if pd.isna(label) else number.get(str(label), -2))
    unknown = sorted({str(label) for label in given[known == -2]})
    if unknown:
        raise DataError(
            f"{name} column '{column}' holds labels that task.labels does not name: {', '.join(unknown[:5])}; "
            f"task.labels is {', '.join(labels)}"
        )
    return np.asarray(known, dtype=np.int64)
