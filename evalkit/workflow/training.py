"""A student is trained: one stage, resumed from its checkpoints where it was killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.errors import DataError
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, content_key, folder_digest
from evalkit.spec.distill import Distill
from evalkit.spec.own_code import OwnCode
from evalkit.workflow.gate import Gate
from evalkit.workflow.own_student import distilled_code
from evalkit.workflow.teaching import Lessons

VERSION = 1
STUDENT_WEIGHTS = "student-weights"
CHECKPOINTS = "checkpoints"
"""RUN/checkpoints/KEY outlives a killed training stage, whose own folder does not, until that stage is done."""


def refuse_short(rows: int, distill: Distill) -> None:
    """Raises DataError where the training table does not fill one step."""
    if not distill.fills_a_step(rows):
        kept = f" with {distill.held_back:g} of them held back" if distill.held_back else ""
        times = f" · accumulate {distill.accumulate}" if distill.accumulate > 1 else ""
        raise DataError(
            f"data.train gives {rows} rows to learn from{kept}, fewer than student.distill.batch_rows "
            f"{distill.batch_rows}{times}; give more text or a smaller batch"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is learnt from: the rows, and the teacher's probabilities [rows, labels]."""

    rows: Rows
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How it is learnt. ``counts`` go into training.json beside what the training was; ``code`` makes a student that is
    a torch module of the user's own."""

    labels: tuple[str, ...]
    distill: Distill
    seed: int
    counts: dict[str, Any]
    code: OwnCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training as its stage: ``stated`` is what names it, ``folders`` what it reads besides its material."""

    name: str
    stated: dict[str, Any]
    folders: dict[str, Path | None]
    lessons: Lessons
    how: How
    checkpoints: Path

    def material(self) -> Material:
        return Material(rows=self.lessons.rows, probabilities=self.lessons.probabilities())


def training_of(gate: Gate, lessons: Lessons, distill: Distill, seed: int, name: str = STUDENT_WEIGHTS) -> Training:
    """The training of a student as ``distill`` says on the lessons. Raises DataError where they are too few."""
    refuse_short(len(lessons.rows), distill)
    stated = {
        "teacher": lessons.source_digest(),
        "outputs": lessons.outputs.key,
        "train": lessons.digest,
        "distill": distill.model_dump(exclude={"checkpoint_steps"}),  # changes nothing in what comes out
        "seed": seed,
    }
    start = None if distill.start is None else gate.loaded.resolve(distill.start)
    if start is not None:
        stated["start"] = folder_digest(start)
    code = distilled_code(gate, distill)
    if code is not None:
        stated["code"] = code.digest
    return Training(
        name=name,
        stated=stated,
        folders={"teacher_folder": lessons.source, "start": start},
        lessons=lessons,
        how=How(labels=gate.spec.task.labels, distill=distill, seed=seed, counts=lessons.counts, code=code),
        checkpoints=gate.run.root / CHECKPOINTS / content_key(name, VERSION, stated),
    )


def train_into(
    folder: Path,
    how: How,
    material: Material,
    folders: Mapping[str, Path | None],
    on_progress: Callable[[float, str], None],
    checkpoints: Path | None,
) -> None:
    """Writes the stage's artefacts: the folder ``weights`` (a Hugging Face folder, or that of a torch module of the
    user's own) and training.json."""
    from evalkit.students.from_spec import distil_into
    from evalkit.students.processes import distil_in_processes

    processes = how.distill.processes
    make = distil_into if processes == 1 else partial(distil_in_processes, processes)
    training = make(
        folder / "weights",
        rows=material.rows,
        task_labels=how.labels,
        teacher_probabilities=material.probabilities,
        distill=how.distill,
        seed=how.seed,
        on_progress=on_progress,
        checkpoints=checkpoints,
        code=how.code,
        **folders,
    )
    write_json(folder / "training.json", {**training, **how.counts})


def trained(gate: Gate, training: Training, elsewhere: Callable[[Path], None] | None = None) -> StageResult:
    """The training's stage: its artefacts written here, or by ``elsewhere``. Found again where the same was trained
    before, in this run or in one beside it."""

    def here(folder: Path) -> None:
        report, checkpoints = gate.reporter.progress, training.checkpoints
        train_into(folder, training.how, training.material(), training.folders, report, checkpoints)

    result = gate.stage(training.name, VERSION, training.stated, here if elsewhere is None else elsewhere)
    shutil.rmtree(training.checkpoints, ignore_errors=True)
    return result
