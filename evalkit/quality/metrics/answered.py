"""One model's answers to the held-out rows, with the truth beside them, as numbers that metrics can count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.label_sets import SEPARATOR, label_sets
from evalkit.data.numbers import numbers_of
from evalkit.data.queries import queries_of
from evalkit.data.truth import NO_LABEL, label_numbers
from evalkit.errors import DataError
from evalkit.spec.gate import OUTSIDE

LABELLED = ("classification", "multilabel")
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """``truth`` and ``predicted`` have one shape and one meaning, by task kind:

    classification: numbers into ``labels``, int64 [n], where an answer outside them has the number of labels, which no
    truth has; multilabel: which labels hold, bool [n, labels];
    generation: texts, object [n]; ranking: relevance and score of each item, float64 [n], with the item's query
    in ``queries``, int64 [n], numbered from 0 in order of first appearance.
    ``probabilities`` [n, labels] are there where the model gave them.
    """

    model: str
    labels: tuple[str, ...]
    truth: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.floating[Any]] | None = None
    queries: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def true_for(self, label: str) -> NDArray[np.bool_]:
        """Which rows truly have ``label``, [n]; for a task with labels."""
        return self._has(self.truth, label)

    def claimed_for(self, label: str) -> NDArray[np.bool_]:
        """Which rows the model gives ``label``, [n]; for a task with labels."""
        return self._has(self.predicted, label)

    def _has(self, values: NDArray[Any], label: str) -> NDArray[np.bool_]:
        number = self.labels.index(label)
        return np.asarray(values[:, number] if values.ndim == 2 else values == number, dtype=np.bool_)

    def take(self, rows: NDArray[np.int64]) -> Answered:
        """The answers to ``rows``, [m], in their order; a row may be taken more than once."""
        return Answered(
            model=self.model,
            labels=self.labels,
            truth=self.truth[rows],
            predicted=self.predicted[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            queries=None if self.queries is None else self.queries[rows],
        )


def answered(
    table: pd.DataFrame, kind: str, labels: tuple[str, ...], model: str, query_column: str | None = None
) -> Answered:
    """``model``'s answers in an aligned table, for a task of ``kind``.

    Raises DataError for an answer that is none of the labels, for relevances and scores that are not finite or
    below 0 (relevance), and for probabilities that are not from 0 to 1 or, in classification, do not sum to 1.
    """
    truth = _column(table["row_label"], kind, labels, "row_label")
    predicted = _column(table[model], kind, (*labels, OUTSIDE) if kind == "classification" else labels, model)
    return Answered(
        model=model,
        labels=labels,
        truth=truth,
        predicted=predicted,
        probabilities=_probabilities(table, kind, labels, model),
        queries=query_numbers(table, query_column) if kind == "ranking" else None,
    )


def has_probabilities(table: pd.DataFrame, labels: Sequence[str], model: str) -> bool:
    """Whether the aligned table holds ``model``'s probability of every label."""
    return bool(labels) and all(f"{model}_probability_{label}" in table.columns for label in labels)


def query_numbers(table: pd.DataFrame, query_column: str | None) -> NDArray[np.int64]:
    """The query of each item, [n], numbered from 0 in order of first appearance. Raises DataError without one."""
    if query_column is None or query_column not in table.columns:
        raise DataError("ranking needs the query of every item; name its column in data.columns.query")
    return queries_of(table, query_column).codes


def _column(column: pd.Series, kind: str, labels: tuple[str, ...], name: str) -> NDArray[Any]:
    match kind:
        case "classification":
            return _every_row(label_numbers(column, labels, name), name)
        case "multilabel":
            return _label_matrix(label_sets(column, labels, name), labels)
        case "ranking":
            return _scores(column, name)
        case _:
            return np.where(column.isna(), "", column.astype(object)).astype(object)


def _every_row(numbers: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    absent = int((numbers == NO_LABEL).sum())
    if absent:
        raise DataError(f"{name} is missing in {absent} rows; give every held-out row one")
    return numbers


def _label_matrix(cells: NDArray[np.object_], labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which labels each cell ``a|b`` holds, [n, labels]."""
    number = {label: index for index, label in enumerate(labels)}
    codes, distinct = pd.factorize(cells)
    held = np.zeros((len(distinct), len(labels)), dtype=np.bool_)
    for row, cell in enumerate(distinct):
        held[row, [number[label] for label in str(cell).split(SEPARATOR) if label]] = True
    return held[codes]


def _scores(column: pd.Series, name: str) -> NDArray[np.float64]:
    values = numbers_of(column, name)
    absent = int(np.isnan(values).sum())
    if absent:
        raise DataError(f"{name} is missing for {absent} items; give every item one")
    if name == "row_label" and (values < 0).any():
        raise DataError(f"row_label is {values.min():g} for an item; a relevance is a number of at least 0")
    return values


def _probabilities(
    table: pd.DataFrame, kind: str, labels: tuple[str, ...], model: str
) -> NDArray[np.floating[Any]] | None:
    if kind not in LABELLED or not has_probabilities(table, labels, model):
        return None
    values = np.asarray(table[[f"{model}_probability_{label}" for label in labels]].to_numpy())
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    # NaN fails every comparison, so this refuses it too.
    fits = (values >= 0).all(axis=1) & (values <= 1 + SUM_TOLERANCE).all(axis=1)
    if kind == "classification":
        fits &= np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE
    if not fits.all():
        rule = "from 0 to 1 and sum to 1" if kind == "classification" else "from 0 to 1"
        raise DataError(
            f"{model}'s probabilities of {int((~fits).sum())} rows are not {rule}; repair or leave them out"
        )
    return values
