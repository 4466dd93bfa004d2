"""Which columns are searched, each as small numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import OWN_COLUMNS
from evalkit.data.derived import LABELLED_KINDS, derived_column
from evalkit.data.reading import require_columns
from evalkit.errors import DataError
from evalkit.quality.discovery.coding import Coded, Skipped, code_column, code_quartiles
from evalkit.quality.discovery.text_features import scripts, unseen_words, word_counts
from evalkit.quality.discovery.topics import topics
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import BINNED_BY_QUARTILES, DERIVED, LABEL, TEACHER_ANSWER, Discovery

NOT_BY_ANSWERS = (
    "the teacher is right more often where it gives a frequent answer, so an equally good student seems to lose "
    "there; name it in discovery.columns to search it all the same"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The searched columns as ``codes`` [n, columns] with the name of every value, and what is left out.

    ``apart`` are pairs of columns that must not be crossed.
    """

    codes: NDArray[np.int32]
    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    skipped: tuple[Skipped, ...]
    apart: frozenset[frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the table's columns are, and the task they belong to."""

    columns: Columns
    kind: str
    labels: tuple[str, ...]

    @property
    def naming_rows(self) -> tuple[str, ...]:
        """Columns that say which row it is, not of what kind."""
        naming = (self.columns.id, self.columns.cluster, self.columns.query)
        return tuple(column for column in naming if column is not None)


def features_of(
    table: pd.DataFrame,
    spec: Discovery,
    task: Task,
    training_texts: Sequence[str] | None,
    rng: np.random.Generator,
) -> Features:
    """The columns of the aligned ``table`` that ``spec`` asks for, or all its own columns and the label; the text's
    features besides.

    Of columns that split the rows alike the first stays. Raises DataError for a column that is not there.
    """
    coded = [_coded(table, column, task) for column in _columns(table, spec, task)]
    if spec.columns is None and task.kind in LABELLED_KINDS:
        coded.append(Skipped(column=TEACHER_ANSWER, reason=NOT_BY_ANSWERS))
    if spec.text_features:
        coded += _of_text(table, task.columns.text, training_texts, rng)
    return _together(coded, len(table))


def _columns(table: pd.DataFrame, spec: Discovery, task: Task) -> list[str]:
    if spec.columns is None:
        ours = ("teacher_probability_", "student_probability_")
        names = [name for name in map(str, table.columns) if not name.startswith(ours)]
        own = [name for name in names if name not in (*OWN_COLUMNS, task.columns.text)]
        return [LABEL, *own] if task.kind in LABELLED_KINDS else own
    require_columns(table, [column for column in spec.columns if column not in DERIVED], "discovery: the table")
    return list(dict.fromkeys(spec.columns))


def _coded(table: pd.DataFrame, column: str, task: Task) -> Coded | Skipped:
    if column in task.naming_rows:
        return Skipped(column=column, reason="it says which row it is, not of what kind")
    if column not in DERIVED:
        return code_column(table[column], column)
    try:
        values = derived_column(table, column, task.columns, task.kind, task.labels)
    except DataError as error:
        return Skipped(column=column, reason=str(error).removeprefix("subpopulations: "))
    if column in BINNED_BY_QUARTILES:
        return code_quartiles(values.to_numpy(dtype=np.float64, na_value=np.nan), column)
    return code_column(values, column)


def _of_text(
    table: pd.DataFrame, column: str, training_texts: Sequence[str] | None, rng: np.random.Generator
) -> list[Coded | Skipped]:
    if column not in table.columns:
        return [Skipped(column=column, reason="there is no such column to take features of the text from")]
    texts = table[column].astype("object").fillna("").astype(str).tolist()
    return [word_counts(texts), scripts(texts), unseen_words(texts, training_texts), topics(texts, rng)]


def _together(coded: Sequence[Coded | Skipped], n: int) -> Features:
    kept: list[Coded] = []
    skipped: list[Skipped] = []
    seen: dict[bytes, str] = {}
    for each in coded:
        if isinstance(each, Skipped):
            skipped.append(each)
            continue
        alike = seen.setdefault(pd.factorize(each.codes)[0].tobytes(), each.column)
        if alike == each.column:
            kept.append(each)
        else:
            skipped.append(Skipped(column=each.column, reason=f"it splits the rows as {alike} does"))
    columns = tuple(each.column for each in kept)
    return Features(
        codes=np.column_stack([each.codes for each in kept]) if kept else np.zeros((n, 0), dtype=np.int32),
        columns=columns,
        values=tuple(each.values for each in kept),
        skipped=tuple(skipped),
        apart=_apart(columns),
    )


def _apart(columns: Sequence[str]) -> frozenset[frozenset[int]]:
    """Label and teacher's answer together say whether the teacher is right: where it is, no student can gain."""
    if LABEL not in columns or TEACHER_ANSWER not in columns:
        return frozenset()
    return frozenset([frozenset([columns.index(LABEL), columns.index(TEACHER_ANSWER)])])
