"""What each control answers to the held-out rows: one stage a model, label numbers of the task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.data.truth import NO_LABEL
from evalkit.errors import DataError, InvalidComparison, ModelError
from evalkit.modelling.loading import check_classifier_folder
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, folder_digest
from evalkit.spec.controls import HARD_LABELS, NEED_LABELS, TFIDF
from evalkit.spec.own_code import OwnCode
from evalkit.workflow.answering import in_task_order
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.own_student import student_code
from evalkit.workflow.servable import ServableModel
from serving.manifest import MANIFEST_FILE, read_manifest, verify_files

VERSION = 1
ANSWERS = "answers.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersStage:
    """A model's answers to the held-out rows."""

    stage: StageResult

    def numbers(self) -> NDArray[np.int64]:
        """Numbers into the task's labels [rows]."""
        read: NDArray[np.int64] = np.load(self.stage.folder / ANSWERS)
        return read


def refuse_unfit_controls(gate: Gate, inputs: Inputs) -> None:
    """Raises DataError or ModelError, before anything is trained, for controls with nothing to learn from and for
    folders that cannot be asked; InvalidComparison for one that has other labels than the task."""
    controls = gate.spec.controls
    if controls is None:
        return
    needing = [name for name in NEED_LABELS if name in controls.names]
    if needing:
        assert inputs.train is not None
        labels = inputs.train.labels[inputs.train.labels != NO_LABEL]
        _refuse_few(needing[0], len(labels), len(np.unique(labels)))
        distill = gate.spec.student.distill
        if HARD_LABELS in needing and distill is not None and not distill.fills_a_step(len(labels)):
            raise DataError(
                f"controls: hard_labels has {len(labels)} labelled rows in data.train, fewer than one step of "
                f"{distill.step_rows}; label more, or leave it out"
            )
    for stated in controls.folders:
        labels_of(gate, stated)


def _refuse_few(name: str, rows: int, labels: int) -> None:
    if labels < 2:
        raise DataError(
            f"controls: {name} learns from true labels, and data.train has {rows} rows with one, of {labels} different "
            "labels; label more rows, or leave it out"
        )


def labels_of(gate: Gate, stated: str) -> tuple[str, ...]:
    """The labels of a finished classifier, in its own order; refused where they are not the task's."""
    folder = gate.loaded.resolve(stated)
    if not folder.is_dir():
        raise ModelError(f"controls: {folder} is not a folder; give a Hugging Face or a served model folder")
    for role, given in (("teacher", gate.spec.teacher.load), ("student", gate.spec.student.load)):
        if given is not None and gate.loaded.resolve(given) == folder:
            raise InvalidComparison(f"controls: {folder} is the {role} itself; give another classifier")
    served = (folder / MANIFEST_FILE).is_file()
    labels = read_manifest(folder).labels if served else check_classifier_folder(folder)
    if set(labels) != set(gate.spec.task.labels):
        raise InvalidComparison(
            f"controls: {folder} has the labels {', '.join(labels)} and task.labels is "
            f"{', '.join(gate.spec.task.labels)}; give a classifier of the same labels"
        )
    return labels


def answers_of_weights(gate: Gate, inputs: Inputs, weights: StageResult, max_length: int) -> AnswersStage:
    """A model trained in this run, asked through torch: every one of them in the same numbers."""
    stated = {"weights": [weights.name, weights.key], "max_length": max_length}
    return _torch_stage(gate, inputs, weights.folder / "weights", stated, max_length, student_code(gate))


def answers_of_folder(gate: Gate, inputs: Inputs, stated: str) -> AnswersStage:
    """A finished classifier: a Hugging Face folder through torch, a served model folder through its engine."""
    folder = gate.loaded.resolve(stated)
    if not (folder / MANIFEST_FILE).is_file():
        max_length = gate.spec.serve.max_length
        named = {"folder": folder_digest(folder), "max_length": max_length}
        return _torch_stage(gate, inputs, folder, named, max_length)
    manifest = read_manifest(folder)
    verify_files(folder, manifest)

    model = ServableModel(role="control", source=stated, folder=folder, manifest=manifest, parity=None)

    def work(target: Path) -> None:
        texts = inputs.held_out.texts
        probabilities, _ = in_task_order(
            gate,
            model,
            texts,
            lambda done: gate.reporter.progress(done / len(texts), f"{done:,} of {len(texts):,} texts"),
        )
        np.save(target / ANSWERS, probabilities.argmax(1))

    return _stage(gate, inputs, {"model": model.version, "provider": gate.spec.serve.provider}, work)


def answers_of_tfidf(gate: Gate, inputs: Inputs) -> AnswersStage:
    """TF-IDF with logistic regression on the labelled training rows; the same every time."""
    rows = inputs.train
    assert rows is not None

    def work(folder: Path) -> None:
        from evalkit.students.tfidf import tfidf_answers

        started = time.monotonic()
        labelled = np.flatnonzero(rows.labels != NO_LABEL)
        fitted = tfidf_answers([rows.texts[row] for row in labelled], rows.labels[labelled], inputs.held_out.texts)
        np.save(folder / ANSWERS, fitted.answers)
        facts = {"rows": len(labelled), "seconds": round(time.monotonic() - started, 1), "converged": fitted.converged}
        write_json(folder / "training.json", facts)

    return _stage(gate, inputs, {"train": inputs.digests["train"]}, work, f"control-{TFIDF}")


def _torch_stage(
    gate: Gate,
    inputs: Inputs,
    folder: Path,
    stated: dict[str, object],
    max_length: int,
    code: OwnCode | None = None,
) -> AnswersStage:
    def work(target: Path) -> None:
        from evalkit.modelling.loading import load_classifier
        from evalkit.modelling.predicting import torch_answers

        classifier = load_classifier(folder, code=code)
        answers = torch_answers(classifier, inputs.held_out.texts, max_length, gate.spec.task.labels)
        np.save(target / ANSWERS, answers)

    return _stage(gate, inputs, stated, work)


def _stage(
    gate: Gate,
    inputs: Inputs,
    stated: dict[str, object],
    work: Callable[[Path], None],
    name: str = "control-answers",
) -> AnswersStage:
    asked = {
        "held_out": inputs.digests["held_out"],
        "columns": gate.spec.data.columns.model_dump(),
        "labels": gate.spec.task.labels,
    }
    return AnswersStage(stage=gate.stage(name, VERSION, {**asked, **stated}, work))
