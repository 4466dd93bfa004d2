"""Teacher and student become model folders that can be served; the student is distilled where the spec says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.data.evenly import evenly
from evalkit.errors import DataError, InvalidComparison, ModelError
from evalkit.modelling.loading import check_classifier_folder
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, content_key, file_digest, folder_digest
from evalkit.spec.distill import Distill
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.reducing import reduction
from serving.manifest import Manifest, model_version, read_manifest, verify_files

PACKAGE_VERSION, OUTPUTS_VERSION, DISTIL_VERSION = 1, 1, 1
PARITY_TEXTS = 256
STUDENT_WEIGHTS = "student-weights"
CHECKPOINTS = "checkpoints"
"""RUN/checkpoints/KEY outlives a killed training stage, whose own folder does not, until that stage is done."""
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServableModel:
    """One side of the comparison as a folder that ``serving`` opens."""

    role: str
    source: str
    folder: Path
    manifest: Manifest
    parity: dict[str, Any] | None
    training: dict[str, Any] | None = None

    @property
    def version(self) -> str:
        return model_version(self.manifest)

    @property
    def megabytes(self) -> float:
        return round((self.folder / "model.onnx").stat().st_size / 1e6, 2)

    @property
    def parameters(self) -> int | None:
        counted = self.manifest.provenance.get("parameters")
        return counted if isinstance(counted, int) else None


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


def teacher_model(gate: Gate, inputs: Inputs) -> ServableModel:
    """The teacher's model folder."""
    assert gate.spec.teacher.load is not None
    source = gate.loaded.resolve(gate.spec.teacher.load)
    return _loaded_model(gate, inputs, "teacher", source, gate.spec.teacher.load)


def student_model(gate: Gate, inputs: Inputs, teacher: ServableModel | None) -> ServableModel:
    """The student's model folder: loaded, or distilled from the teacher."""
    student = gate.spec.student
    if student.distill is None:
        assert student.load is not None
        return _loaded_model(gate, inputs, "student", gate.loaded.resolve(student.load), student.load)
    assert teacher is not None
    weights = _distilled_weights(gate, inputs, teacher, student.distill)
    packaged = _packaged(gate, inputs, "student", weights.folder / "weights", student.distill.max_length)
    return _servable("student", "distilled from the teacher", packaged, training=weights.read("training.json"))


def _loaded_model(gate: Gate, inputs: Inputs, role: str, source: Path, stated: str) -> ServableModel:
    if not source.is_dir():
        raise ModelError(f"{role}.load {source} is not a folder; give a Hugging Face or a served model folder")
    if (source / MANIFEST).is_file():
        return _servable(role, stated, _copied(gate, inputs, role, source))
    check_classifier_folder(source)
    return _servable(role, stated, _packaged(gate, inputs, role, source, gate.spec.serve.max_length))


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
        for name in (MANIFEST, *manifest.files):
            shutil.copy2(source / name, folder / "model" / name)
        parity = None  # torch is not here to compare with
        if reduced is not None:
            from evalkit.packaging.export import open_engine
            from evalkit.packaging.parity import served_logits

            engine = open_engine(source, "cpu", gate.spec.serve.threads)
            parity = reduced.replace(folder / "model", partial(served_logits, engine), "fp32")
        write_json(folder / "parity.json", parity)

    stated = {"files": manifest.files, "labels": manifest.labels}
    return gate.stage(f"{role}-model", PACKAGE_VERSION, {**stated, **(reduced.stated if reduced else {})}, work)


def _packaged(gate: Gate, inputs: Inputs, role: str, source: Path, max_length: int) -> StageResult:
    """Exports a Hugging Face folder to ONNX in the precision asked for and compares the two on held-out texts."""
    serve = gate.spec.serve
    texts = evenly(inputs.held_out.texts, PARITY_TEXTS)
    reduced = reduction(gate, inputs, role)

    def work(folder: Path) -> None:
        from evalkit.modelling.loading import load_classifier
        from evalkit.modelling.mean_pooled import parameters
        from evalkit.modelling.predicting import torch_logits
        from evalkit.packaging.export import check_parity, export, open_engine

        gate.reporter.progress(0.0, "opening the torch model")
        classifier = load_classifier(source)
        gate.reporter.progress(0.2, "exporting to ONNX")
        export(
            classifier,
            folder / "model",
            name=f"{gate.spec.task.name}-{role}",
            max_length=max_length,
            provenance={"role": role, "parameters": parameters(classifier.model), "run": gate.run.root.name},
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
    }
    return gate.stage(f"{role}-model", PACKAGE_VERSION, {**stated, **(reduced.stated if reduced else {})}, work)


def _distilled_weights(gate: Gate, inputs: Inputs, teacher: ServableModel, distill: Distill) -> StageResult:
    train = inputs.train
    assert train is not None
    _refuse_short(len(train), distill)
    outputs = _teacher_outputs(gate, inputs, teacher)
    source = gate.loaded.resolve(gate.spec.teacher.load or "")
    if (source / MANIFEST).is_file():
        raise ModelError(
            f"teacher.load {source} is an ONNX folder, from which no student can be cut; give its Hugging Face folder"
        )

    stage_inputs = {
        "teacher": folder_digest(source),
        "outputs": outputs.key,
        "train": inputs.digests["train"],
        "distill": distill.model_dump(exclude={"checkpoint_steps"}),  # changes nothing in what comes out
        "seed": gate.spec.seed,
    }
    checkpoints = gate.run.root / CHECKPOINTS / content_key(STUDENT_WEIGHTS, DISTIL_VERSION, stage_inputs)

    def work(folder: Path) -> None:
        from evalkit.students.from_spec import distil_into

        training = distil_into(
            folder / "weights",
            teacher_folder=source,
            rows=train,
            task_labels=gate.spec.task.labels,
            teacher_probabilities=np.load(outputs.folder / "probabilities.npy"),
            distill=distill,
            seed=gate.spec.seed,
            on_progress=gate.reporter.progress,
            checkpoints=checkpoints,
        )
        write_json(folder / "training.json", training)

    result = gate.stage(STUDENT_WEIGHTS, DISTIL_VERSION, stage_inputs, work)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def _refuse_short(rows: int, distill: Distill) -> None:
    """Raises DataError where the training table does not fill one step."""
    step = distill.batch_rows * distill.accumulate
    if rows * (1.0 - distill.held_back) < step:
        kept = f" with {distill.held_back:g} of them held back" if distill.held_back else ""
        times = f" · accumulate {distill.accumulate}" if distill.accumulate > 1 else ""
        raise DataError(
            f"data.train has {rows} rows{kept}, fewer than student.distill.batch_rows {distill.batch_rows}{times}; "
            "give more text or a smaller batch"
        )


def _teacher_outputs(gate: Gate, inputs: Inputs, teacher: ServableModel) -> StageResult:
    """The teacher's probabilities for every training text."""
    train = inputs.train
    assert train is not None

    def work(folder: Path) -> None:
        report = _counted(gate.reporter.progress)
        np.save(folder / "probabilities.npy", teacher_outputs(gate, teacher, train.texts, report))

    return gate.stage(
        "teacher-outputs",
        OUTPUTS_VERSION,
        {"teacher": teacher.version, "train": inputs.digests["train"]},
        work,
    )


def teacher_outputs(
    gate: Gate, teacher: ServableModel, texts: Sequence[str], on_progress: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """The teacher's probabilities [texts, labels], labels in its own order; kept in the run text by text as they come,
    so that only missing ones are asked for."""
    from evalkit.packaging.export import open_engine
    from evalkit.teachers.outputs import OutputStore

    engine = cache(lambda: open_engine(teacher.folder, gate.spec.serve.provider, every_core()))
    with OutputStore(gate.run.root / "teacher_outputs.sqlite") as store:
        return store.probabilities(
            teacher.version,
            texts,
            lambda missing: np.asarray(engine().classify(missing).probabilities, dtype=np.float32),
            on_progress,
        )


def _counted(report: Callable[[float, str], None]) -> Callable[[int, int], None]:
    return lambda done, total: report(done / total, f"{done:,} of {total:,} texts")


def every_core() -> int:
    """Cores that this process may use: offline work takes them all, served work takes what the spec says."""
    import psutil

    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1
