"""Builds the student that the spec describes, distils it, and writes its Hugging Face folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.data.truth import NO_LABEL
from evalkit.errors import InvalidComparison
from evalkit.modelling.loading import TextClassifier, load_classifier, save_classifier
from evalkit.modelling.mean_pooled import parameters
from evalkit.spec.distill import Distill, FeatureAttention, Inside
from evalkit.students.architecture import cut_from_teacher, small_encoder
from evalkit.students.distil import distil
from evalkit.students.lesson import Lesson
from evalkit.students.refusals import doubts
from evalkit.students.schedule import Schedule
from evalkit.students.training import Progress


def distil_into(
    folder: Path,
    *,
    teacher_folder: Path,
    rows: Rows,
    task_labels: tuple[str, ...],
    teacher_probabilities: NDArray[np.float32],
    distill: Distill,
    seed: int,
    on_progress: Callable[[float, str], None],
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Writes ``folder`` and returns what the training was: rows, seconds, last loss, parameters.

    ``teacher_probabilities`` [rows, labels] lie in the order of ``rows`` and of the teacher's own labels.
    ``checkpoints`` is a folder from which a killed training goes on.
    """
    attention = "eager" if any(isinstance(each, FeatureAttention) for each in distill.learnt) else None
    teacher = load_classifier(teacher_folder, attention)
    teacher_parameters = parameters(teacher.model)
    student = build(teacher, distill, seed)
    started = time.monotonic()

    def report(now: Progress) -> None:
        on_progress(now.step / now.steps, f"step {now.step:,} of {now.steps:,}, loss {now.loss:.3f}")

    lesson = Lesson(
        texts=rows.texts,
        probabilities=teacher_probabilities,
        labels=in_order_of(teacher.labels, task_labels, rows.labels),
    )
    trained = distil(
        student,
        lesson,
        distill.learnt,
        Schedule(
            epochs=distill.epochs,
            learning_rate=distill.learning_rate,
            batch_rows=distill.batch_rows,
            max_length=distill.max_length,
            seed=seed,
            accumulate=distill.accumulate,
            held_back=distill.held_back,
            patience=distill.patience,
            checkpoint_steps=distill.checkpoint_steps,
        ),
        report,
        teacher if any(isinstance(each, Inside) for each in distill.learnt) else None,
        checkpoints,
    )
    save_classifier(student.model, student.tokenizer, folder)
    return {
        "rows": len(rows),
        "unlabelled_rows": int((rows.labels == NO_LABEL).sum()),
        "seconds": round(time.monotonic() - started, 1),
        **trained.facts(),
        "parameters": parameters(student.model),
        "teacher_parameters": teacher_parameters,
        "objectives": ", ".join(each.objective for each in distill.learnt),
        **_warnings(doubts(distill.learnt, lesson)),
    }


def _warnings(found: list[str]) -> dict[str, str]:
    return {"warnings": "; ".join(found)} if found else {}


def build(teacher: TextClassifier, distill: Distill, seed: int) -> TextClassifier:
    """The student before training."""
    if distill.cut_layers is not None:
        student = cut_from_teacher(teacher, distill.cut_layers)
    else:
        assert distill.encoder is not None
        layers, width, heads = distill.encoder.shape
        student = small_encoder(
            teacher,
            layers=layers,
            width=width,
            heads=heads,
            max_length=distill.max_length,
            seed=seed,
            embeddings=distill.encoder.embeddings,
        )
    student.model.base_model.get_input_embeddings().requires_grad_(distill.train_embeddings)
    return student


def in_order_of(
    model_labels: tuple[str, ...], task_labels: tuple[str, ...], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Label numbers of the task as the model numbers them; −1 (no label) stays.

    Raises InvalidComparison where the teacher does not know a label of the task.
    """
    unseen = [label for label in task_labels if label not in model_labels]
    if unseen:
        raise InvalidComparison(
            f"task.labels names {', '.join(unseen)}, which the teacher never saw; it knows {', '.join(model_labels)}"
        )
    numbers = np.array([model_labels.index(label) for label in task_labels], dtype=np.int64)
    return np.where(labels == NO_LABEL, NO_LABEL, numbers[labels])
