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
from evalkit.spec.model_sources import Distill
from evalkit.students.architecture import cut_from_teacher, small_encoder
from evalkit.students.distil import ResponseObjective, distil
from evalkit.students.training import Progress, Schedule


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
) -> dict[str, Any]:
    """Writes ``folder`` and returns what the training was: rows, seconds, last loss, parameters.

    ``teacher_probabilities`` [rows, labels] lie in the order of ``rows`` and of the teacher's own labels.
    """
    teacher = load_classifier(teacher_folder)
    teacher_parameters = parameters(teacher.model)
    student = build(teacher, distill, seed)
    started = time.monotonic()

    def report(now: Progress) -> None:
        on_progress(now.step / now.steps, f"step {now.step:,} of {now.steps:,}, loss {now.loss:.3f}")

    loss = distil(
        student,
        rows.texts,
        teacher_probabilities,
        in_order_of(teacher.labels, task_labels, rows.labels),
        ResponseObjective(
            temperature=distill.temperature, soft_weight=distill.soft_weight, hard_weight=distill.hard_weight
        ),
        Schedule(
            epochs=distill.epochs,
            learning_rate=distill.learning_rate,
            batch_rows=distill.batch_rows,
            max_length=distill.max_length,
            seed=seed,
        ),
        report,
    )
    save_classifier(student.model, student.tokenizer, folder)
    return {
        "rows": len(rows),
        "unlabelled_rows": int((rows.labels == NO_LABEL).sum()),
        "epochs": distill.epochs,
        "seconds": round(time.monotonic() - started, 1),
        "last_epoch_loss": round(loss, 5),
        "parameters": parameters(student.model),
        "teacher_parameters": teacher_parameters,
    }


def build(teacher: TextClassifier, distill: Distill, seed: int) -> TextClassifier:
    """The student before training."""
    if distill.cut_layers is not None:
        student = cut_from_teacher(teacher, distill.cut_layers)
        student.model.base_model.get_input_embeddings().requires_grad_(distill.train_embeddings)
        return student
    encoder = distill.encoder
    assert encoder is not None
    return small_encoder(
        teacher,
        layers=encoder.layers,
        width=encoder.width,
        heads=encoder.heads,
        max_length=distill.max_length,
        seed=seed,
    )


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
