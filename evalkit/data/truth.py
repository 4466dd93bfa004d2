"""What is right in each row, by kind of task."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.label_sets import label_sets
from evalkit.data.levels import distinct_values
from evalkit.data.numbers import numbers_of
from evalkit.errors import DataError

NO_LABEL = -1
CLASSIFICATION, MULTILABEL, RANKING, GENERATION = "classification", "multilabel", "ranking", "generation"
Truth = NDArray[np.object_] | NDArray[np.float64]
MOST_RELEVANT = 1e9
LEAST_RELEVANT = 1e-9
"""nDCG adds up relevances as they are. A million of 10⁹ are a sum of 10¹⁵, which a double still holds to the unit
(2⁵³ ≈ 9 · 10¹⁵); those of 10³⁰⁸ overflow, and the smallest doubles lose their discount to rounding. What lies between
is more than any graded scale or count needs, and nDCG is the same for relevances divided by one number."""


def label_numbers(column: pd.Series, labels: tuple[str, ...], name: str) -> NDArray[np.int64]:
    """Each row's label as a number into ``labels`` [n], −1 where it has none. Raises DataError for an unknown one."""
    codes, distinct = distinct_values(column, name)
    number = {label: index for index, label in enumerate(labels)}
    unknown = sorted({str(label) for label in distinct if str(label) not in number})
    if unknown:
        raise DataError(
            f"{name} holds labels that task.labels does not name: {', '.join(unknown[:5])}; "
            f"task.labels is {', '.join(labels)}"
        )
    return np.array([*(number[str(label)] for label in distinct), NO_LABEL], dtype=np.int64)[codes]


def truth_of(column: pd.Series, kind: str, labels: tuple[str, ...], name: str) -> Truth:
    """The label cells [n] as the predictions table shows them.

    multilabel: ``a|b`` in the order of ``labels``, "" for none. generation: the reference text, without spaces at its
    ends. ranking: the relevance. Raises DataError for a cell that is none of these.
    """
    match kind:
        case "multilabel":
            return label_sets(column, labels, name)
        case "generation":
            return _references(column, name)
        case _:
            return _relevance(column, name)


def _references(column: pd.Series, name: str) -> NDArray[np.object_]:
    texts = column.astype("string").str.strip()
    empty = np.asarray(texts.fillna("") == "", dtype=np.bool_)
    if empty.any():
        raise DataError(
            f"{name} has no reference text in {int(empty.sum())} rows (first: row {int(np.argmax(empty))}); give each "
            "row the answer that is right, or leave it out"
        )
    return np.asarray(texts, dtype=object)


def _relevance(column: pd.Series, name: str) -> NDArray[np.float64]:
    relevance = numbers_of(column, name)
    wrong = ~(relevance >= 0)
    if wrong.any():
        first = int(np.argmax(wrong))
        what = "is missing" if np.isnan(relevance[first]) else f"holds {relevance[first]:g}"
        raise DataError(
            f"{name} {what} in row {first}; the relevance of an item is a number of at least 0 (0 = not relevant)"
        )
    extreme = (relevance > MOST_RELEVANT) | ((relevance > 0) & (relevance < LEAST_RELEVANT))
    if extreme.any():
        first = int(np.argmax(extreme))
        raise DataError(
            f"{name} holds {relevance[first]:g} in row {first}; a relevance is 0 or from {LEAST_RELEVANT:g} to "
            f"{MOST_RELEVANT:g}, so that sums of it are exact. Divide or multiply all of them by one number, which "
            "changes neither nDCG nor MRR"
        )
    return relevance
