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
from evalkit.modelling.own_module import save_own
from evalkit.spec.distill import Distill, Encoder, FeatureAttention, Inside, OwnModule
from evalkit.spec.own_code import OwnCode
from evalkit.students.architecture import cut_from_teacher, fresh_encoder, small_encoder
from evalkit.students.basis import EAGER, Basis
from evalkit.students.devices import is_first
from evalkit.students.distil import distil
from evalkit.students.lesson import Lesson
from evalkit.students.own_module import own_module_student
from evalkit.students.own_tokenizer import own_tokenizer
from evalkit.students.refusals import doubts
from evalkit.students.schedule import schedule_of
from evalkit.students.started import started_from
from evalkit.students.training import Progress


def distil_into(
    folder: Path,
    *,
    teacher_folder: Path | None,
    rows: Rows,
    task_labels: tuple[str, ...],
    teacher_probabilities: NDArray[np.float32],
    distill: Distill,
    seed: int,
    on_progress: Callable[[float, str], None],
    checkpoints: Path | None = None,
    start: Path | None = None,
    code: OwnCode | None = None,
) -> dict[str, Any]:
    """Writes ``folder`` and returns what the training was: rows, seconds, last loss, parameters.

    ``teacher_probabilities`` [rows, labels] lie in the order of ``rows`` and of the teacher's own labels. Without a
    ``teacher_folder`` (a teacher behind an API) they lie in the order of ``task_labels``. ``checkpoints`` is a folder
    from which a killed training goes on, ``start`` the one that ``distill.start`` names, and ``code`` that of
    ``distill.module``.
    """
    attention = EAGER if any(isinstance(each, FeatureAttention) for each in distill.learnt) else None
    teacher = None if teacher_folder is None else load_classifier(teacher_folder, attention)
    labels = task_labels if teacher is None else teacher.labels
    student = build(Basis(labels=labels, texts=rows.texts, teacher=teacher, start=start, code=code), distill, seed)
    started = time.monotonic()

    def report(now: Progress) -> None:
        on_progress(now.step / now.steps, f"step {now.step:,} of {now.steps:,}, loss {now.loss:.3f}")

    lesson = Lesson(
        texts=rows.texts,
        probabilities=teacher_probabilities,
        labels=in_order_of(labels, task_labels, rows.labels),
    )
    trained = distil(
        student,
        lesson,
        distill.learnt,
        schedule_of(distill, seed),
        report,
        teacher if any(isinstance(each, Inside) for each in distill.learnt) else None,
        checkpoints,
    )
    if is_first():
        if distill.module is not None and code is not None:
            save_own(student, code, distill.module.arguments, seed, folder)
        else:
            save_classifier(student.model, student.tokenizer, folder)
    return {
        "rows": len(rows),
        "unlabelled_rows": int((rows.labels == NO_LABEL).sum()),
        "seconds": round(time.monotonic() - started, 1),
        **trained.facts(),
        "parameters": parameters(student.model),
        **({} if teacher is None else {"teacher_parameters": parameters(teacher.model)}),
        **({"vocabulary": len(student.tokenizer)} if _has_own_tokenizer(distill) else {}),
        "objectives": ", ".join(each.objective for each in distill.learnt),
        **_warnings(doubts(distill.learnt, lesson)),
    }


def _warnings(found: list[str]) -> dict[str, str]:
    return {"warnings": "; ".join(found)} if found else {}


def build(basis: Basis, distill: Distill, seed: int) -> TextClassifier:
    """The student before training."""
    if distill.module is not None:
        return _own(basis, distill, distill.module, seed)
    if distill.cut_layers is not None:
        student = cut_from_teacher(basis.teacher_for("cut_layers"), distill.cut_layers)
    elif distill.start is not None:
        assert basis.start is not None
        student = started_from(basis.start, basis.labels, seed, basis.attention)
    else:
        assert distill.encoder is not None
        student = _from_scratch(basis, distill.encoder, distill.max_length, seed)
    student.model.base_model.get_input_embeddings().requires_grad_(distill.train_embeddings)
    return student


def _own(basis: Basis, distill: Distill, module: OwnModule, seed: int) -> TextClassifier:
    assert basis.code is not None
    if module.tokenizer == "own":
        tokenizer = own_tokenizer(basis.texts, module.vocabulary)
    else:
        tokenizer = basis.teacher_for("module").tokenizer
    return own_module_student(
        module, basis.code, tokenizer, basis.labels, distill.learnt, max_length=distill.max_length, seed=seed
    )


def _from_scratch(basis: Basis, encoder: Encoder, max_length: int, seed: int) -> TextClassifier:
    layers, width, heads = encoder.shape
    if encoder.tokenizer == "own":
        return fresh_encoder(
            own_tokenizer(basis.texts, encoder.vocabulary),
            basis.labels,
            layers=layers,
            width=width,
            heads=heads,
            max_length=max_length,
            seed=seed,
        )
    return small_encoder(
        basis.teacher_for("encoder"),
        layers=layers,
        width=width,
        heads=heads,
        max_length=max_length,
        seed=seed,
        embeddings=encoder.embeddings,
    )


def _has_own_tokenizer(distill: Distill) -> bool:
    reads = distill.encoder or distill.module
    return reads is not None and reads.tokenizer == "own"


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
