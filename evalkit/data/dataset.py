"""The checked tables of one gate: training texts and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.queries import first_items, queries_of, refuse_split_queries, refuse_unrankable, same_in_each
from evalkit.data.reading import require_columns
from evalkit.data.truth import CLASSIFICATION, NO_LABEL, RANKING, Truth, label_numbers, truth_of
from evalkit.errors import DataError
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import DERIVED

OWN_COLUMNS = ("row_id", "row_label", "teacher", "student")
EQUAL_TEXTS = "@equal_texts"
"""Numbers rows of equal text alike, where they are a cluster."""
PROBABILITY_PREFIXES = ("teacher_probability_", "student_probability_")
FIRST = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """``ids`` and ``texts`` [n], and every column of the table as it was read.

    ``labels`` [n] are numbers into the task's labels (−1 = none); in tasks other than classification all are −1.
    ``truth`` [n] is what is right in each row, as the predictions table shows it: the label; the labels ``a|b``; the
    reference text; the relevance (float). A training row without a label has None.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    table: pd.DataFrame
    truth: Truth
    kind: str = CLASSIFICATION

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, chosen: NDArray[np.int64]) -> Rows:
        """The rows with these numbers, in this order."""
        return Rows(
            ids=tuple(self.ids[row] for row in chosen),
            texts=tuple(self.texts[row] for row in chosen),
            labels=self.labels[chosen],
            table=self.table.iloc[chosen].reset_index(drop=True),
            truth=self.truth[chosen],
            kind=self.kind,
        )


def held_out_rows(table: pd.DataFrame, columns: Columns, labels: tuple[str, ...], kind: str = CLASSIFICATION) -> Rows:
    """Held-out rows: each with an id of its own, a text and what is right for it. Raises DataError.

    classification: a known label. multilabel: known labels, ``a|b`` or a list, none where empty. generation: a
    reference text. ranking: a relevance of at least 0 and a query; every query has a relevant item and a less relevant
    one. No column may have the name of a model's probabilities.
    """
    if table.empty:
        raise DataError("data.held_out has no rows; there is nothing to evaluate on")
    _refuse_probabilities(table)
    rows = _rows(table, columns, labels, "data.held_out", kind, held_out=True)
    if kind == CLASSIFICATION:
        unlabelled = int((rows.labels == NO_LABEL).sum())
        if unlabelled:
            raise DataError(
                f"data.held_out has {unlabelled} rows without a '{columns.label}'; label them or leave them out"
            )
    if kind == RANKING:
        _refuse_bad_queries(rows, columns)
    return rows


def training_rows(table: pd.DataFrame, columns: Columns, labels: tuple[str, ...], kind: str = CLASSIFICATION) -> Rows:
    """Training rows; those without a label are kept for the teacher's output alone. Raises DataError.

    In tasks other than classification nothing is trained: their labels are not read.
    """
    if table.empty:
        raise DataError("data.train has no rows; there is nothing to learn from")
    return _rows(table, columns, labels, "data.train", kind, held_out=False)


def held_out_units(rows: Rows, columns: Columns) -> pd.DataFrame:
    """What subpopulations are made of before any model has answered: the table's columns with ``row_id`` and
    ``row_label``; one row a query in ranking, with the columns that are the same for all its items."""
    own = [str(name) for name in rows.table.columns if not is_own(str(name))]
    if rows.kind != RANKING:
        return rows.table[own].assign(row_id=np.asarray(rows.ids, dtype=object), row_label=rows.truth)
    assert columns.query is not None
    queries = queries_of(rows.table, columns.query)
    kept = rows.table[same_in_each(rows.table, own, queries)].iloc[first_items(queries)].reset_index(drop=True)
    return kept.assign(row_id=np.asarray(queries.names, dtype=object), row_label=FIRST)


def is_own(column: str) -> bool:
    """Whether the predictions table, or a grouping, uses this name itself: a column of the held-out table that has it
    is never read as one of its own."""
    return column in (*OWN_COLUMNS, EQUAL_TEXTS, *DERIVED) or column.startswith(PROBABILITY_PREFIXES)


def _rows(
    table: pd.DataFrame, columns: Columns, labels: tuple[str, ...], name: str, kind: str, *, held_out: bool
) -> Rows:
    _refuse_own_names(columns, name)
    needs_label = held_out or kind == CLASSIFICATION
    required = [columns.text] + ([columns.label] if needs_label else []) + ([columns.id] if held_out else [])
    required += [each for each in (columns.cluster, columns.query) if each and held_out]
    require_columns(table, required, name)
    table = table.reset_index(drop=True)
    numbers, truth = _answers(table, columns.label, labels, name, kind if needs_label else None)
    return Rows(
        ids=_ids(table, columns.id, name),
        texts=_texts(table, columns.text, name),
        labels=numbers,
        table=table,
        truth=truth,
        kind=kind,
    )


def _answers(
    table: pd.DataFrame, column: str, labels: tuple[str, ...], name: str, kind: str | None
) -> tuple[NDArray[np.int64], Truth]:
    none = np.full(len(table), NO_LABEL, dtype=np.int64)
    if kind is None:
        return none, np.full(len(table), None, dtype=object)
    called = f"{name} column '{column}'"
    if kind != CLASSIFICATION:
        return none, truth_of(table[column], kind, labels, called)
    numbers = label_numbers(table[column], labels, called)
    return numbers, np.array([*labels, None], dtype=object)[numbers]


def _refuse_own_names(columns: Columns, name: str) -> None:
    for what, column in (("text", columns.text), ("cluster", columns.cluster), ("query", columns.query)):
        if column is not None and is_own(column):
            raise DataError(
                f"{name}: the {what} column '{column}' has a name that the predictions table uses itself "
                f"({', '.join((*OWN_COLUMNS, EQUAL_TEXTS, *DERIVED))}); rename it"
            )


def _refuse_probabilities(table: pd.DataFrame) -> None:
    """A column named like a model's probabilities could be taken for evidence that the model never gave."""
    for column in map(str, table.columns):
        if column.startswith(PROBABILITY_PREFIXES):
            model, _, label = column.partition("_probability_")
            raise DataError(
                f"data.held_out has a column '{column}', the name under which the predictions table keeps what the "
                f"{model} itself says; rename it. A recorded {model}'s probabilities belong in {model}.recorded, as "
                f"probability_{label}"
            )


def _refuse_bad_queries(rows: Rows, columns: Columns) -> None:
    if columns.query is None:
        raise DataError("task.kind ranking needs data.columns.query: which items are ranked together")
    queries = queries_of(rows.table, columns.query)
    refuse_unrankable(np.asarray(rows.truth, dtype=np.float64), queries, columns.query)
    if columns.cluster is not None:
        refuse_split_queries(rows.table, queries, columns.cluster)


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
    return tuple(ids.tolist())


def _texts(table: pd.DataFrame, column: str, name: str) -> tuple[str, ...]:
    texts = table[column]
    empty = texts.isna() | (texts.astype(str).str.strip() == "")
    if empty.any():
        raise DataError(
            f"{name} column '{column}' is empty in {int(empty.sum())} rows (first: row {int(np.argmax(empty))}); "
            "leave those rows out"
        )
    return tuple(texts.astype(str).tolist())
