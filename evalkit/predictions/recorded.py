"""A model known only by its recorded predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.data.label_sets import label_sets
from evalkit.data.levels import distinct_values
from evalkit.data.numbers import numbers_of
from evalkit.data.reading import read_table, require_columns
from evalkit.data.truth import CLASSIFICATION, GENERATION, MULTILABEL
from evalkit.errors import DataError, InvalidComparison
from evalkit.predictions.aligned import Answers
from evalkit.predictions.probabilities import recorded_probabilities, refuse_contradicted
from evalkit.spec.gate import OUTSIDE

PREDICTION = "prediction"


def read_recorded(path: Path, name: str, id_column: str, rows: Rows, labels: tuple[str, ...]) -> Answers:
    """Answers from a table with the id column, ``prediction`` and, optionally, ``probability_<label>`` columns.

    ``prediction`` holds, by the task's kind: a label, or ``(outside)`` where the model's answer was none of them;
    labels ``a|b`` or a list; a text; the item's score (the ids are those of items). Nobody recorded how many texts
    were cut, so ``truncated`` is None.

    Raises DataError for a table that is not one or whose answers are not of the task, InvalidComparison where
    held-out rows have no prediction.
    """
    table = read_table(path, f"{name}.recorded")
    require_columns(table, [id_column, PREDICTION], f"{name}.recorded")
    table = _in_order_of(rows.ids, table, id_column, name)
    answers = table[PREDICTION]
    if rows.kind == MULTILABEL:
        sets = label_sets(answers, labels, f"{name}.recorded column '{PREDICTION}'", "id")
        return _answers(sets, recorded_probabilities(table, name, labels, rows.kind))
    _refuse_missing(answers, name)
    if rows.kind == CLASSIFICATION:
        numbers, probabilities = _numbers(answers, name, labels), recorded_probabilities(table, name, labels, rows.kind)
        if probabilities is not None:
            _refuse_outside(numbers, name, labels)
            refuse_contradicted(numbers, probabilities, table.index, name, labels)
        return _answers(numbers, probabilities)
    if rows.kind == GENERATION:
        return _answers(np.asarray(answers.astype("string").str.strip(), dtype=object), None)
    return _answers(numbers_of(answers, f"{name}.recorded column '{PREDICTION}'", "id"), None)


def _answers(
    predicted: NDArray[np.int64] | NDArray[np.object_] | NDArray[np.float64],
    probabilities: NDArray[np.float64] | None,
) -> Answers:
    kept = None if probabilities is None else probabilities.astype(np.float32)
    return Answers(predicted=predicted, probabilities=kept, truncated=None)


def _in_order_of(wanted: Sequence[str], table: pd.DataFrame, id_column: str, name: str) -> pd.DataFrame:
    """The rows of the held-out ids, in their order and indexed by them."""
    absent = int(table[id_column].isna().sum())
    if absent:
        raise DataError(f"{name}.recorded column '{id_column}' is empty in {absent} rows; give each row its id")
    ids = pd.Index(table[id_column].astype(str), dtype=object)
    if ids.has_duplicates:
        raise DataError(f"{name}.recorded has duplicate ids (first: {ids[ids.duplicated()][0]}); give one row an id")
    places = ids.get_indexer(pd.Index(wanted, dtype=object))
    missing = places < 0
    if missing.any():
        raise InvalidComparison(
            f"pairing incomplete: {name}.recorded has no prediction for {int(missing.sum())} of {len(wanted)} held-out "
            f"rows (first: {wanted[int(np.argmax(missing))]})"
        )
    return table.iloc[places].set_index(ids[places])


def _refuse_missing(answers: pd.Series, name: str) -> None:
    absent = answers.isna()
    if absent.any():
        raise InvalidComparison(
            f"pairing incomplete: {name}.recorded has an empty {PREDICTION} in {int(absent.sum())} of {len(answers)} "
            f"held-out rows (first: {answers.index[int(np.argmax(absent))]}); record what the model answered (an empty "
            'text that is the answer: "" in Parquet or JSONL)'
        )


def _refuse_outside(numbers: NDArray[np.int64], name: str, labels: tuple[str, ...]) -> None:
    outside = int((numbers == len(labels)).sum())
    if outside:
        raise DataError(
            f"{name}.recorded has probabilities of the labels and {outside} answers {OUTSIDE}, which is none of them; "
            "leave the probability columns out"
        )


def _numbers(answers: pd.Series, name: str, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """Numbers into ``labels`` [n]; an answer outside them has the number of labels."""
    codes, distinct = distinct_values(answers, f"{name}.recorded column '{PREDICTION}'")
    number = {label: index for index, label in enumerate((*labels, OUTSIDE))}
    unknown = sorted({str(answer) for answer in distinct if str(answer) not in number})
    if unknown:
        raise DataError(
            f"{name}.recorded answers {', '.join(unknown[:5])}, which task.labels does not name ({', '.join(labels)}); "
            f"write {OUTSIDE} where that is what the model really says"
        )
    return np.array([number[str(answer)] for answer in distinct], dtype=np.int64)[codes]
