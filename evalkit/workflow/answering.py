"""Both models answer the held-out rows, through the engine that serves them; the answers are put side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import EQUAL_TEXTS
from evalkit.data.truth import CLASSIFICATION
from evalkit.errors import InvalidComparison
from evalkit.predictions.aligned import STUDENT, TEACHER, Answers, aligned_table, refuse_other_labels
from evalkit.predictions.recorded import read_recorded
from evalkit.predictions.units import unit_table
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, file_digest
from evalkit.spec.gate import OUTSIDE
from evalkit.workflow.classifying import classify
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.servable import ServableModel

if TYPE_CHECKING:
    from serving.engine import Predictions

VERSION = 5
CHUNK_TEXTS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A model that answers, or the file in which its answers are recorded."""

    role: str
    version: str
    model: ServableModel | None
    recorded: Path | None
    source: str = ""
    """Who gave the recorded answers, where it is not the file's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The predictions stage, its table, and the same with one row a unit (in ranking, a query). ``cluster`` is the
    column that says which rows belong together: the spec's or, without one, that of equal texts where there are any."""

    stage: StageResult
    table: pd.DataFrame
    units: pd.DataFrame
    cluster: str | None


def side(gate: Gate, role: str, model: ServableModel | None) -> Side:
    """The teacher's or the student's side of the comparison."""
    if model is not None:
        return Side(role=role, version=model.version, model=model, recorded=None)
    stated = gate.spec.teacher.recorded if role == TEACHER else gate.spec.student.recorded
    assert stated is not None
    path = gate.loaded.resolve(stated)
    if not path.is_file():
        raise InvalidComparison(f"{role}.recorded {path} does not exist; correct the path in {gate.loaded.path}")
    return Side(role=role, version=file_digest(path)[:12], model=None, recorded=path)


def refuse_incomparable(gate: Gate, teacher: Side, student: Side) -> None:
    """Raises InvalidComparison for other labels, another order of labels, or one model on both sides."""
    task = gate.spec.task.labels
    known = [each.model.manifest.labels if each.model else None for each in (teacher, student)]
    refuse_other_labels(task, known[0] or known[1] or task, known[1] or known[0] or task)
    if teacher.version == student.version:
        raise InvalidComparison(
            f"teacher and student are the same model (version {teacher.version}); a model compared with itself "
            "proves nothing"
        )


def predict(gate: Gate, inputs: Inputs, teacher: Side, student: Side) -> Answered:
    """The aligned table of predictions, predictions.parquet."""

    def work(folder: Path) -> None:
        teacher_answers = _answers(gate, inputs, teacher, 0.0, 0.8)
        student_answers = _answers(gate, inputs, student, 0.8, 0.2)
        table = aligned_table(inputs.held_out, gate.spec.task.labels, teacher_answers, student_answers)
        table.to_parquet(folder / "predictions.parquet", index=False)
        truncated = {TEACHER: teacher_answers.truncated, STUDENT: student_answers.truncated}
        outside = {role: int((table[role] == OUTSIDE).sum()) for role in (TEACHER, STUDENT)}
        write_json(
            folder / "predictions.json",
            {
                "rows": len(table),
                "truncated_texts": truncated,
                **({"outside_labels": outside} if gate.spec.task.kind == CLASSIFICATION else {}),
            },
        )

    result = gate.stage(
        "predictions",
        VERSION,
        {
            "held_out": inputs.digests["held_out"],
            "columns": gate.spec.data.columns.model_dump(),
            "labels": gate.spec.task.labels,
            "kind": gate.spec.task.kind,
            "teacher": teacher.version,
            "student": student.version,
            "provider": gate.spec.serve.provider,
        },
        work,
    )
    table = pd.read_parquet(result.folder / "predictions.parquet")
    cluster = gate.spec.data.columns.cluster
    if inputs.text_clusters is not None:
        cluster, table = EQUAL_TEXTS, table.assign(**{EQUAL_TEXTS: inputs.text_clusters})
    units = unit_table(table, gate.spec.task.kind, gate.spec.data.columns.query)
    return Answered(stage=result, table=table, units=units, cluster=cluster)


def _answers(gate: Gate, inputs: Inputs, asked: Side, start: float, span: float) -> Answers:
    labels = gate.spec.task.labels
    if asked.recorded is not None:
        id_column = gate.spec.data.columns.id
        return read_recorded(asked.recorded, asked.role, id_column, inputs.held_out, labels)
    assert asked.model is not None
    texts = inputs.held_out.texts

    def report(done: int) -> None:
        gate.reporter.progress(start + span * done / len(texts), f"{asked.role}: {done:,} of {len(texts):,} texts")

    probabilities, truncated = in_task_order(gate, asked.model, texts, report)
    return Answers(predicted=probabilities.argmax(1), probabilities=probabilities, truncated=truncated)


def in_task_order(
    gate: Gate, model: ServableModel, texts: Sequence[str], on_progress: Callable[[int], None]
) -> tuple[NDArray[Any], int]:
    """The served model's probabilities [texts, labels] in the order of the task's labels, and how many texts it cut
    short. ``on_progress`` hears how many are done."""
    batches = [texts[at : at + CHUNK_TEXTS] for at in range(0, len(texts), CHUNK_TEXTS)]
    answers: dict[int, Predictions] = {}

    def keep(at: int, said: Predictions) -> None:
        answers[at] = said
        on_progress(sum(len(batches[at]) for at in answers))

    classify(gate, model, batches, keep)
    probabilities = np.concatenate([answers[at].probabilities for at in range(len(batches))])
    order = [model.manifest.labels.index(label) for label in gate.spec.task.labels]
    return probabilities[:, order], sum(int(each.truncated.sum()) for each in answers.values())
