"""One aligned table: each held-out row with what is right and both models' answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from evalkit.data.dataset import Rows, is_own
from evalkit.data.truth import CLASSIFICATION
from evalkit.errors import InvalidComparison
from evalkit.spec.gate import OUTSIDE

TEACHER, STUDENT = "teacher", "student"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One model's answers to the held-out rows.

    ``predicted`` [n]: classification, numbers into the task's labels, the number of labels where an answer is none of
    them; multilabel, ``a|b`` in the task's order;
    generation, texts; ranking, scores. ``probabilities`` [n, labels] where the model gives them: of each row they sum
    to 1 in classification and are independent in multilabel. ``truncated`` is how many texts the model saw cut, None
    where nobody knows.
    """

    predicted: NDArray[np.int64] | NDArray[np.object_] | NDArray[np.float64]
    probabilities: NDArray[np.float32] | None
    truncated: int | None


def aligned_table(rows: Rows, labels: tuple[str, ...], teacher: Answers, student: Answers) -> pd.DataFrame:
    """``row_id``, ``row_label``, ``teacher``, ``student`` and probabilities, then the held-out table's own columns.

    A column of the held-out table with a name that the predictions table or a grouping uses itself (``is_own``) is left
    out, whether or not the models give what the name stands for. One whose values are of several types is kept as
    text. Raises InvalidComparison where an answer is missing.
    """
    for name, answers in ((TEACHER, teacher), (STUDENT, student)):
        if len(answers.predicted) != len(rows):
            raise InvalidComparison(
                f"pairing incomplete: {len(answers.predicted)} {name} answers for {len(rows)} held-out rows"
            )
    columns: dict[str, object] = {
        "row_id": rows.ids,
        "row_label": rows.truth,
        TEACHER: _shown(rows, labels, teacher),
        STUDENT: _shown(rows, labels, student),
    }
    for name, answers in ((TEACHER, teacher), (STUDENT, student)):
        if answers.probabilities is not None:
            for index, label in enumerate(labels):
                columns[f"{name}_probability_{label}"] = answers.probabilities[:, index]
    own = rows.table[[name for name in rows.table.columns if not is_own(str(name))]]
    return pd.concat([pd.DataFrame(columns), _storable(own)], axis=1)


def refuse_other_labels(task: tuple[str, ...], teacher: tuple[str, ...], student: tuple[str, ...]) -> None:
    """Raises InvalidComparison unless task, teacher and student speak of the same labels in one order."""
    for name, labels in ((TEACHER, teacher), (STUDENT, student)):
        unseen = [label for label in task if label not in labels]
        if unseen:
            raise InvalidComparison(
                f"task.labels names {', '.join(unseen)}, which the {name} never saw; it knows {', '.join(labels)}"
            )
        unnamed = [label for label in labels if label not in task]
        if unnamed:
            raise InvalidComparison(f"the {name} answers {', '.join(unnamed)}, which task.labels does not name; add it")
    if teacher != student:
        raise InvalidComparison(
            f"teacher and student number their labels differently ({', '.join(teacher)} against "
            f"{', '.join(student)}); reorder id2label of one of them"
        )


def _shown(rows: Rows, labels: tuple[str, ...], answers: Answers) -> object:
    if rows.kind == CLASSIFICATION:
        return np.asarray((*labels, OUTSIDE), dtype=object)[answers.predicted.astype(np.int64)]
    return answers.predicted


def _storable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as Parquet can hold it."""
    mixed = [name for name in table.columns if table[name].dtype == object and not _is_of_one_type(table[name])]
    return table.assign(**{name: table[name].map(str, na_action="ignore") for name in mixed})


def _is_of_one_type(column: pd.Series) -> bool:
    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True
