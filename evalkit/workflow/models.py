"""Teacher and student become model folders that can be served; the student is distilled where the spec says so."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.data.evenly import evenly
from evalkit.errors import InvalidComparison, ModelError
from evalkit.modelling.loading import check_classifier_folder
from evalkit.modelling.own_folder import MODULE_FILE, is_own_folder
from evalkit.predictions.aligned import refuse_other_labels
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, file_digest, folder_digest
from evalkit.spec.own_code import OwnCode
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.own_student import distilled_code, loaded_code, module_provenance, refuse_changed
from evalkit.workflow.reducing import reduction
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import lessons_of
from evalkit.workflow.training import STUDENT_WEIGHTS
from evalkit.workflow.trainings import Wanted, trained_all
from serving.manifest import MANIFEST_FILE, read_manifest, verify_files

VERSION = 2
PARITY_TEXTS = 256


def refuse_same_source(gate: Gate) -> None:
    """Raises InvalidComparison where teacher and student are one and the same file, before any work."""
    teacher, student = gate.spec.teacher, gate.spec.student
    for given, other in ((teacher.load, student.load), (teacher.recorded, student.recorded)):
        if given is None or other is None:
            continue
        first, second = gate.loaded.resolve(given), gate.loaded.resolve(other)
        if first == second or _weights_digest(first) == _weights_digest(second) is not None:
            raise InvalidComparison(
                f"teacher and student are the same file ({first}); a model compared with itself proves nothing"
            )


def _weights_digest(path: Path) -> str | None:
    for weights in (path, path / "model.onnx", path / "model.safetensors"):
        if weights.is_file():
            return file_digest(weights)
    return None


def teacher_folder_model(gate: Gate, inputs: Inputs) -> ServableModel | None:
    """The teacher's model folder; None where it is behind an API or its answers are recorded. Raises InvalidComparison
    where its labels are not the task's."""
    if gate.spec.teacher.load is None:
        return None
    teacher = teacher_model(gate, inputs)
    refuse_other_labels(gate.spec.task.labels, teacher.manifest.labels, teacher.manifest.labels)
    return teacher


def teacher_model(gate: Gate, inputs: Inputs) -> ServableModel:
    """The teacher's model folder."""
    assert gate.spec.teacher.load is not None
    source = gate.loaded.resolve(gate.spec.teacher.load)
    return _loaded_model(gate, inputs, "teacher", source, gate.spec.teacher.load)


def student_model(gate: Gate, inputs: Inputs, teacher: ServableModel | None) -> ServableModel:
    """The student's model folder: loaded, or distilled from the teacher (None where that is behind an API)."""
    student = gate.spec.student
    if student.distill is None:
        assert student.load is not None
        return _loaded_model(gate, inputs, "student", gate.loaded.resolve(student.load), student.load)
    lessons = lessons_of(gate, inputs, teacher)
    wanted = Wanted(name=STUDENT_WEIGHTS, lessons=lessons, distill=student.distill, seed=gate.spec.seed)
    (weights,) = trained_all(gate, [wanted])
    code = distilled_code(gate, student.distill)
    refuse_changed(code, weights.folder / "weights")
    packaged = _packaged(gate, inputs, "student", weights.folder / "weights", student.distill.max_length, code)
    return _servable("student", "distilled from the teacher", packaged, training=weights.read("training.json"))


def _loaded_model(gate: Gate, inputs: Inputs, role: str, source: Path, stated: str) -> ServableModel:
    if not source.is_dir():
        raise ModelError(f"{role}.load {source} is not a folder; give a Hugging Face or a served model folder")
    if (source / MANIFEST_FILE).is_file():
        return _servable(role, stated, _copied(gate, inputs, role, source))
    code = loaded_code(gate) if role == "student" else None
    check_classifier_folder(source, None if code is None else code.name)
    if code is not None and not is_own_folder(source):
        raise ModelError(
            f"student.function is {code.name}, but student.load {source} holds no torch module of your own "
            f"({MODULE_FILE}); leave function out"
        )
    return _servable(role, stated, _packaged(gate, inputs, role, source, gate.spec.serve.max_length, code))


def _servable(role: str, source: str, result: StageResult, training: dict[str, Any] | None = None) -> ServableModel:
    folder = result.folder / "model"
    return ServableModel(
        role=role,
        source=source,
        folder=folder,
        manifest=read_manifest(folder),
        parity=result.read("parity.json"),
        training=training,
    )


def _copied(gate: Gate, inputs: Inputs, role: str, source: Path) -> StageResult:
    """A served model folder as it is; where another precision is asked for, the variant made of it."""
    manifest = read_manifest(source)
    verify_files(source, manifest)
    reduced = reduction(gate, inputs, role)
    if reduced is not None and reduced.precision == manifest.precision:
        reduced = None

    def work(folder: Path) -> None:
        (folder / "model").mkdir()
        for name in (MANIFEST_FILE, *manifest.files):
            shutil.copy2(source / name, folder / "model" / name)
        parity = None  # torch is not here to compare with
        if reduced is not None:
            from evalkit.packaging.export import open_engine
            from evalkit.packaging.parity import served_logits

            engine = open_engine(source, "cpu", gate.spec.serve.threads)
            parity = reduced.replace(folder / "model", partial(served_logits, engine), "fp32")
        write_json(folder / "parity.json", parity)

    stated = {"files": manifest.files, "labels": manifest.labels}
    return gate.stage(f"{role}-model", VERSION, {**stated, **(reduced.stated if reduced else {})}, work)


def _packaged(
    gate: Gate, inputs: Inputs, role: str, source: Path, max_length: int, code: OwnCode | None = None
) -> StageResult:
    """Exports a Hugging Face folder, or a torch module of the user's own, to ONNX in the precision asked for and
    compares the two on held-out texts."""
    serve = gate.spec.serve
    texts = evenly(inputs.held_out.texts, PARITY_TEXTS)
    reduced = reduction(gate, inputs, role)

    def work(folder: Path) -> None:
        from evalkit.modelling.loading import load_classifier
        from evalkit.modelling.mean_pooled import parameters
        from evalkit.modelling.predicting import torch_logits
        from evalkit.packaging.export import check_parity, export, open_engine

        gate.reporter.progress(0.0, "opening the torch model")
        classifier = load_classifier(source, code=code)
        gate.reporter.progress(0.2, "exporting to ONNX")
        export(
            classifier,
            folder / "model",
            name=f"{gate.spec.task.name}-{role}",
            max_length=max_length,
            provenance={
                "role": role,
                "parameters": parameters(classifier.model),
                "run": gate.run.root.name,
                **({} if code is None else module_provenance(code, source)),
            },
        )
        gate.reporter.progress(0.7, "comparing ONNX with torch")
        engine = open_engine(folder / "model", "cpu", serve.threads)
        parity = asdict(check_parity(classifier, engine, texts, max_length, serve.parity_tolerance))
        if reduced is not None:
            original = partial(torch_logits, classifier, max_length=max_length)
            parity = reduced.replace(folder / "model", original, "torch")
        write_json(folder / "parity.json", parity)

    stated = {
        "source": folder_digest(source),
        "task": gate.spec.task.name,
        "max_length": max_length,
        "tolerance": serve.parity_tolerance,
        "held_out": inputs.digests["held_out"],
        "text": gate.spec.data.columns.text,
        **({} if code is None else {"code": code.digest}),
    }
    return gate.stage(f"{role}-model", VERSION, {**stated, **(reduced.stated if reduced else {})}, work)
