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
from evalkit.workflow.answering import Answered, in_task_order
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.models import ServableModel, teacher_outputs

VERSION = 1
MOST_TEXTS = 2000
"""Drawn from each table: enough for an interval of ±2 points, and seconds of the student's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """The findings, as they lie in findings.json."""

    findings: tuple[Finding, ...]


def diagnose(
    gate: Gate, inputs: Inputs, answered: Answered, teacher: ServableModel | None, student: ServableModel | None
) -> tuple[Finding, ...]:
    """Whether the student follows its teacher on what it was taught, where it was distilled in this run, and whether
    it answers production texts otherwise than held-out ones, where there is a sample. Without either, no stage."""
    taught = inputs.train is not None and teacher is not None and gate.spec.student.distill is not None
    if student is None or not (taught or inputs.production is not None):
        return ()
    from pydantic import TypeAdapter

    def work(folder: Path) -> None:
        found = []
        if taught:
            assert teacher is not None
            found.append(_over_compression(gate, inputs, answered, teacher, student, folder))
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
            "student": student.version,
            "text": gate.spec.data.columns.text,
            "provider": gate.spec.serve.provider,
            "level": gate.level,
            "seed": gate.spec.seed,
        },
        work,
    )
    return TypeAdapter(Diagnosed).validate_json((result.folder / "findings.json").read_bytes()).findings


def _over_compression(
    gate: Gate, inputs: Inputs, answered: Answered, teacher: ServableModel, student: ServableModel, folder: Path
) -> Finding:
    assert inputs.train is not None
    texts = _drawn(inputs.train.texts, gate.spec.seed)
    labels = np.asarray(gate.spec.task.labels, dtype=object)
    gate.reporter.progress(0.0, "training texts")
    by_teacher = _taught(gate, teacher, texts)
    by_student = _probabilities(gate, student, texts)
    answers = pd.DataFrame(
        {"text": texts, TEACHER: labels[by_teacher.argmax(1)], STUDENT: labels[by_student.argmax(1)]}
    )
    answers.to_parquet(folder / "agreement.parquet", index=False)
    rung = Rung(
        name="student",
        parameters=student.parameters,
        train=equal(answers[TEACHER], answers[STUDENT]),
        held_out=equal(answered.table[TEACHER], answered.table[STUDENT]),
    )
    return over_compression(rung, gate.level, held_out_ids=[str(each) for each in answered.table["row_id"]])


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
    chosen = np.random.default_rng(seed).permutation(len(texts))[:MOST_TEXTS]
    return [texts[index] for index in np.sort(chosen)]


def _taught(gate: Gate, teacher: ServableModel, texts: Sequence[str]) -> NDArray[np.float64]:
    """What the student was taught: the teacher's outputs that the run keeps. Only missing ones are asked for."""
    kept = teacher_outputs(
        gate,
        teacher,
        texts,
        lambda done, total: gate.reporter.progress(0.2 * done / total, f"teacher: {done:,} of {total:,} texts"),
    )
    order = [teacher.manifest.labels.index(label) for label in gate.spec.task.labels]
    return np.asarray(kept[:, order], dtype=np.float64)


def _probabilities(gate: Gate, model: ServableModel, texts: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities [texts, labels] in the task's order."""
    return np.asarray(in_task_order(gate, model, texts, lambda _: None)[0], dtype=np.float64)
