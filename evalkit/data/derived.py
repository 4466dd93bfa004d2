"""Columns that evalkit computes from a row or from the models' answers, to group by."""

from __future__ import annotations

import pandas as pd

from evalkit.data.truth import CLASSIFICATION, MULTILABEL, RANKING
from evalkit.errors import DataError
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import (
    LABEL,
    STUDENT_CONFIDENCE,
    TEACHER_ANSWER,
    TEACHER_CONFIDENCE,
    TEXT_LENGTH,
)

LABELLED_KINDS = (CLASSIFICATION, MULTILABEL)
ROLES = {TEACHER_ANSWER: "teacher", TEACHER_CONFIDENCE: "teacher", STUDENT_CONFIDENCE: "student"}


def derived_column(table: pd.DataFrame, column: str, columns: Columns, kind: str, labels: tuple[str, ...]) -> pd.Series:
    """The values [n] of ``@text_length``, ``@label``, ``@teacher_answer``, ``@teacher_confidence`` or
    ``@student_confidence`` for a table of units: the aligned table or, for the first two, the held-out units.

    Confidence is the highest probability that the model gives to any label. Raises DataError where the table does
    not hold what it is computed from, or where the task has no such thing.
    """
    if column == TEXT_LENGTH:
        return _text_length(table, columns.text, kind)
    if kind not in LABELLED_KINDS:
        raise DataError(f"subpopulations: {column} needs labels, and task.kind {kind} has none; leave it out")
    if column == LABEL:
        return table["row_label"]
    role = ROLES[column]
    if role not in table.columns:
        raise DataError(f"subpopulations: {column} is known only once the {role} has answered")
    return table[role] if column == TEACHER_ANSWER else _confidence(table, column, role, labels)


def _text_length(table: pd.DataFrame, text: str, kind: str) -> pd.Series:
    if text not in table.columns:
        why = "items of one query have different texts" if kind == RANKING else f"there is no column '{text}'"
        raise DataError(f"subpopulations: {TEXT_LENGTH} cannot be computed, {why}; leave it out")
    return table[text].astype("string").str.len()


def _confidence(table: pd.DataFrame, column: str, role: str, labels: tuple[str, ...]) -> pd.Series:
    names = [f"{role}_probability_{label}" for label in labels]
    if not all(name in table.columns for name in names):
        raise DataError(
            f"subpopulations: {column} needs the {role}'s probabilities; record a probability_LABEL column for each "
            "label, or leave it out"
        )
    return table[names].max(axis=1)
