"""What went wrong with the student, from what only the models can answer: training texts and production texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.over_compression import Rung, over_compression
from evalkit.diagnosis.prediction_shift import prediction_shift
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import equal
from evalkit.record.layout import write_text
from evalkit.spec.gate import OUTSIDE
from evalkit.workflow.answering import Answered, in_task_order
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import Lessons, lessons_of, teacher_outputs

VERSION = 3
MOST_TEXTS = 2000
"""Drawn from each table: enough for an interval of ±2 points, and seconds of the student's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """The findings, as they lie in findings.json."""

    findings: tuple[Finding, ...]


def diagnose(
    gate: Gate,
    inputs: Inputs,
    answered: Answered,
    teacher: ServableModel | None,
    student: ServableModel | None,
    is_better: bool,
) -> tuple[Finding, ...]:
    """Whether the student follows its teacher on what it was taught, where it was distilled in this run, and whether
    it answers production texts otherwise than held-out ones, where there is a sample. Without either, no stage.

    ``is_better``: the student is shown to be right more often than its teacher."""
    taught = inputs.train is not None and gate.spec.student.distill is not None
    if student is None or not (taught or inputs.production is not None):
        return ()
    from pydantic import TypeAdapter

    lessons = lessons_of(gate, inputs, None) if taught and teacher is None else None

    def work(folder: Path) -> None:
        found = []
        if taught:
            found.append(_over_compression(gate, inputs, answered, lessons or teacher, student, folder, is_better))
        if inputs.production is not None:
            gate.reporter.progress(0.5, "production texts")
            found.append(_prediction_shift(gate, inputs.production, answered, student, folder))
        judged = Diagnosed(findings=tuple(found))
        write_text(folder / "findings.json", TypeAdapter(Diagnosed).dump_json(judged, indent=1).decode())

    result = gate.stage(
        "diagnosis",
        VERSION,
        {
            "predictions": answered.stage.key,
            "train": inputs.digests.get("train") if taught else None,
            "production": inputs.digests.get("production"),
            "teacher": teacher.version if teacher is not None else None,
            "lessons": lessons.outputs.key if lessons is not None else None,
            "student": student.version,
            "is_better": is_better,
            "text": gate.spec.data.columns.text,
            "provider": gate.spec.serve.provider,
            "level": gate.level,
            "seed": gate.spec.seed,
        },
        work,
    )
    return TypeAdapter(Diagnosed).validate_json((result.folder / "findings.json").read_bytes()).findings


def _over_compression(
    gate: Gate,
    inputs: Inputs,
    answered: Answered,
    teacher: Lessons | ServableModel | None,
    student: ServableModel,
    folder: Path,
    is_better: bool,
) -> Finding:
    """Held-out rows that the teacher answers outside the labels are left out: as training rows they taught nothing."""
    labels = np.asarray(gate.spec.task.labels, dtype=object)
    gate.reporter.progress(0.0, "training texts")
    texts, by_teacher = _taught(gate, inputs, teacher)
    by_student = _probabilities(gate, student, texts)
    answers = pd.DataFrame(
        {"text": texts, TEACHER: labels[by_teacher.argmax(1)], STUDENT: labels[by_student.argmax(1)]}
    )
    answers.to_parquet(folder / "agreement.parquet", index=False)
    held_out = answered.table[answered.table[TEACHER] != OUTSIDE]
    rung = Rung(
        name="student",
        parameters=student.parameters,
        train=equal(answers[TEACHER], answers[STUDENT]),
        held_out=equal(held_out[TEACHER], held_out[STUDENT]),
    )
    ids = [str(each) for each in held_out["row_id"]]
    return over_compression(rung, gate.level, held_out_ids=ids, is_better=is_better)


def _prediction_shift(
    gate: Gate, production: Sequence[str], answered: Answered, student: ServableModel, folder: Path
) -> Finding:
    labels = gate.spec.task.labels
    texts = _drawn(production, gate.spec.seed)
    columns = [f"{STUDENT}_probability_{label}" for label in labels]
    seen = _probabilities(gate, student, texts)
    pd.DataFrame(seen, columns=columns).assign(text=texts).to_parquet(folder / "production.parquet", index=False)
    held_out = answered.table[columns].to_numpy(dtype=np.float64)
    return prediction_shift(held_out, seen, labels, texts, gate.level)


def _drawn(texts: Sequence[str], seed: int) -> list[str]:
    return [texts[index] for index in _chosen(len(texts), seed)]


def _chosen(rows: int, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_TEXTS])


def _taught(
    gate: Gate, inputs: Inputs, teacher: Lessons | ServableModel | None
) -> tuple[list[str], NDArray[np.float64]]:
    """Training texts, and the teacher's outputs for them in the task's order, as the run keeps them: the lessons of a
    teacher behind an API. Of a model only missing ones are asked for."""
    assert inputs.train is not None
    if isinstance(teacher, Lessons):
        rows = _chosen(len(teacher.rows), gate.spec.seed)
        return [teacher.rows.texts[row] for row in rows], np.asarray(teacher.probabilities()[rows], dtype=np.float64)
    assert teacher is not None
    texts = _drawn(inputs.train.texts, gate.spec.seed)
    kept = teacher_outputs(
        gate,
        teacher,
        texts,
        lambda done, total: gate.reporter.progress(0.2 * done / total, f"teacher: {done:,} of {total:,} texts"),
    )
    order = [teacher.manifest.labels.index(label) for label in gate.spec.task.labels]
    return texts, np.asarray(kept[:, order], dtype=np.float64)


def _probabilities(gate: Gate, model: ServableModel, texts: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities [texts, labels] in the task's order."""
    return np.asarray(in_task_order(gate, model, texts, lambda _: None)[0], dtype=np.float64)
