"""A student that is a torch module of the user's own: its code, and a trial of it before anything is trained."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evalkit.data.evenly import evenly
from evalkit.errors import StageError
from evalkit.modelling.loading import check_classifier_folder
from evalkit.modelling.own_folder import read_own_folder
from evalkit.record.layout import write_json
from evalkit.record.stages import file_digest
from evalkit.spec.distill import Distill, OwnModule
from evalkit.spec.own_code import OwnCode, own_code
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from serving.manifest import MANIFEST_FILE, TOKENIZER_FILE

VERSION = 1
STAGE = "student-module"
TRIAL = "trial.json"
TEXTS = 32


def distilled_code(gate: Gate, distill: Distill) -> OwnCode | None:
    """The code of the function that ``student.distill.module`` names; None for every other student."""
    if distill.module is None:
        return None
    return own_code("student.distill.module", distill.module.function, gate.loaded.path.parent)


def student_code(gate: Gate) -> OwnCode | None:
    """That of the student that ``gate.yaml`` has trained."""
    distill = gate.spec.student.distill
    return None if distill is None else distilled_code(gate, distill)


def loaded_code(gate: Gate) -> OwnCode | None:
    """The code of the function that ``student.function`` names."""
    name = gate.spec.student.function
    return None if name is None else own_code("student.function", name, gate.loaded.path.parent)


def refuse_changed(code: OwnCode | None, folder: Path) -> None:
    """Raises StageError where the code was changed between the training of ``folder`` in this run and now: the weights
    may fit another forward."""
    if code is not None and read_own_folder(folder).code_sha256 != code.digest:
        raise StageError(f"{code.key} {code.name} was changed after the student was trained; start again")


def module_provenance(code: OwnCode, folder: Path) -> dict[str, Any]:
    """For the manifest: the function, its code as it is now, and its code as the weights in ``folder`` were trained
    with, which may differ where the weights fit all the same."""
    return {
        "function": code.name,
        "code_sha256": code.digest,
        "trained_with_code_sha256": read_own_folder(folder).code_sha256,
    }


def try_module(gate: Gate, inputs: Inputs) -> None:
    """Builds the user's module, checks it, exports it untrained and compares the file with torch, all before the
    teacher is asked for anything. Done again where its code, arguments or objectives change.

    Raises SpecError, ModelError or StageError, in one line, for the first thing that it does not do.
    """
    code, distill = student_code(gate), gate.spec.student.distill
    if code is None or distill is None or distill.module is None:
        return
    module, serve = distill.module, gate.spec.serve
    teacher = None if gate.spec.teacher.load is None else gate.loaded.resolve(gate.spec.teacher.load)
    if teacher is not None and (teacher / MANIFEST_FILE).is_file():
        return  # no student is made from such a folder; ``lessons_of`` says so
    labels = gate.spec.task.labels if teacher is None else check_classifier_folder(teacher)

    def work(folder: Path) -> None:
        from evalkit.modelling.mean_pooled import parameters
        from evalkit.packaging.export import check_parity, export, open_engine
        from evalkit.students.own_module import own_module_student

        gate.reporter.progress(0.0, f"building {code.name}")
        student = own_module_student(
            module,
            code,
            _tokenizer(inputs, module, teacher),
            labels,
            distill.learnt,
            max_length=distill.max_length,
            seed=gate.spec.seed,
        )
        gate.reporter.progress(0.2, "exporting it untrained")
        trial = folder / "trial"
        export(student, trial, name="trial", max_length=distill.max_length, provenance={})
        engine = open_engine(trial, "cpu", serve.threads)
        texts = evenly(inputs.held_out.texts, TEXTS)
        parity = check_parity(student, engine, texts, distill.max_length, serve.parity_tolerance)
        shutil.rmtree(trial)
        write_json(folder / TRIAL, {"parameters": parameters(student.model), "parity": asdict(parity)})

    own = module.tokenizer == "own"
    stated: dict[str, Any] = {
        "code": code.digest,
        "module": module.model_dump(),
        "objectives": [each.objective for each in distill.learnt],
        "tokenizer": inputs.digests["train"] if own or teacher is None else file_digest(teacher / TOKENIZER_FILE),
        "labels": labels,
        "max_length": distill.max_length,
        "tolerance": serve.parity_tolerance,
        "held_out": inputs.digests["held_out"],
        "seed": gate.spec.seed,
    }
    gate.stage(STAGE, VERSION, stated, work)


def _tokenizer(inputs: Inputs, module: OwnModule, teacher: Path | None) -> Any:
    """The one that the student will read: the teacher's, or one trained on the training texts."""
    if module.tokenizer == "own":
        from evalkit.students.own_tokenizer import own_tokenizer

        assert inputs.train is not None  # the spec was refused without
        return own_tokenizer(inputs.train.texts, module.vocabulary)
    from evalkit.modelling.loading import load_tokenizer

    assert teacher is not None  # the spec was refused otherwise
    return load_tokenizer(teacher)
