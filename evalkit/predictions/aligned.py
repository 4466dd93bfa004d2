"""One aligned table: each held-out row with its label and both models' answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.errors import InvalidComparison

TEACHER, STUDENT = "teacher", "student"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One model's answers to the held-out rows: ``predicted`` [n] as numbers into the task's labels,
    ``probabilities`` [n, labels] where the model gives them, and how many texts it saw cut."""

    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None
    truncated: int


def aligned_table(rows: Rows, labels: tuple[str, ...], teacher: Answers, student: Answers) -> pd.DataFrame:
    """The held-out table's own columns, then ``row_label``, ``teacher``, ``student`` and probabilities.

    Raises InvalidComparison where an answer is missing.
    """
    for name, answers in ((TEACHER, teacher), (STUDENT, student)):
        if len(answers.predicted) != len(rows):
            raise InvalidComparison(
                f"pairing incomplete: {len(answers.predicted)} {name} answers for {len(rows)} held-out rows"
            )
    names = np.asarray(labels, dtype=object)
    columns: dict[str, object] = {
        "row_id": rows.ids,
        "row_label": names[rows.labels],
        TEACHER: names[teacher.predicted],
        STUDENT: names[student.predicted],
    }
    for name, answers in ((TEACHER, teacher), (STUDENT, student)):
        if answers.probabilities is not None:
            for index, label in enumerate(labels):
                columns[f"{name}_probability_{label}"] = answers.probabilities[:, index]
    own = rows.table.drop(columns=[name for name in columns if name in rows.table.columns])
    return pd.concat([pd.DataFrame(columns), own], axis=1)


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
