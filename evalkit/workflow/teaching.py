"""What a student learns from: the training rows and what the teacher says to each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows
from evalkit.errors import ModelError
from evalkit.record.layout import write_json
from evalkit.record.stages import StageResult, folder_digest
from evalkit.teachers.taught import taught_by
from evalkit.workflow.classifying import classify
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.labelling import ANSWERS, Part, api_of, labelled
from evalkit.workflow.servable import ServableModel
from serving.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from evalkit.teachers.outputs import Answer

VERSION = 2
PROBABILITIES, TAUGHT, COUNTS = "probabilities.npy", "taught_rows.npy", "lessons.json"
OUTPUTS = "teacher_outputs.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """The training rows, their digest, and the stage in which the teacher's probabilities [rows, labels] lie, in the
    order of the teacher's own labels. ``source`` is the teacher's Hugging Face folder; None for a teacher behind an
    API, whose labels are the task's. ``counts`` says of the whole table what such answers teach: rows left out, by why.
    """

    rows: Rows
    digest: str
    outputs: StageResult
    source: Path | None
    chosen: NDArray[np.int64] | None = None
    """Which rows of the outputs these are; None for all of them."""
    counts: dict[str, int] = field(default_factory=dict)

    def probabilities(self) -> NDArray[np.float32]:
        """The teacher's probabilities [rows, labels]."""
        read: NDArray[np.float32] = np.load(self.outputs.folder / PROBABILITIES)
        return read if self.chosen is None else read[self.chosen]

    def part(self, chosen: NDArray[np.int64]) -> Lessons:
        """The lessons of the rows with these numbers alone."""
        digest = hashlib.sha256(np.ascontiguousarray(chosen, dtype=np.int64).tobytes()).hexdigest()
        return replace(
            self,
            rows=self.rows.part(chosen),
            digest=f"{self.digest}, rows {digest}",
            chosen=chosen if self.chosen is None else self.chosen[chosen],
            counts={},
        )

    def source_digest(self) -> str | None:
        """Names the teacher that the student is built from."""
        return None if self.source is None else folder_digest(self.source)


def lessons_of(gate: Gate, inputs: Inputs, teacher: ServableModel | None) -> Lessons:
    """Asks the teacher, None where it is one behind an API, for every training text. Raises ModelError for a teacher
    from which no student can be built, DataError for an API whose answers teach nothing."""
    train = inputs.train
    assert train is not None
    if teacher is None:
        return _lessons_of_answers(gate, inputs, train)
    source = gate.loaded.resolve(gate.spec.teacher.load or "")
    if (source / MANIFEST_FILE).is_file():
        raise ModelError(
            f"teacher.load {source} is an ONNX folder, from which no student can be cut; give its Hugging Face folder"
        )
    return Lessons(
        rows=train, digest=_digest(gate, inputs), outputs=_teacher_outputs(gate, inputs, teacher), source=source
    )


def _digest(gate: Gate, inputs: Inputs) -> str:
    """Names the texts and the labels that are learnt: the file, and which of its columns they are."""
    columns = gate.spec.data.columns
    return f"{inputs.digests['train']}, text {columns.text!r}, label {columns.label!r}"


def _lessons_of_answers(gate: Gate, inputs: Inputs, train: Rows) -> Lessons:
    """The rows that the API teacher's answers teach, with how likely it finds each label."""
    labels, soft = gate.spec.task.labels, api_of(gate.loaded).soft
    answers = labelled(gate, inputs, Part.TRAIN).stage

    def work(folder: Path) -> None:
        made = taught_by(pd.read_parquet(answers.folder / ANSWERS), labels, soft)
        np.save(folder / PROBABILITIES, made.probabilities)
        np.save(folder / TAUGHT, made.rows)
        counts = {f"rows_left_out_{why}": count for why, count in made.left_out.items()}
        write_json(folder / COUNTS, {**counts, "rows_answered_unlike_likeliest": made.unlike})

    stated = None if soft is None else soft.model_dump(mode="json")
    outputs = gate.stage("teacher-lessons", VERSION, {"answers": answers.key, "labels": labels, "soft": stated}, work)
    return Lessons(
        rows=train.part(np.load(outputs.folder / TAUGHT)),
        digest=_digest(gate, inputs),
        outputs=outputs,
        source=None,
        counts=outputs.read(COUNTS),
    )


def _teacher_outputs(gate: Gate, inputs: Inputs, teacher: ServableModel) -> StageResult:
    """The teacher's probabilities for every training text."""
    train = inputs.train
    assert train is not None

    def work(folder: Path) -> None:
        report = _counted(gate.reporter.progress)
        np.save(folder / PROBABILITIES, teacher_outputs(gate, teacher, train.texts, report))

    return gate.stage(
        "teacher-outputs",
        VERSION,
        {"teacher": teacher.version, "train": inputs.digests["train"], "text": gate.spec.data.columns.text},
        work,
    )


def teacher_outputs(
    gate: Gate, teacher: ServableModel, texts: Sequence[str], on_progress: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """The teacher's probabilities [texts, labels], labels in its own order; kept in the run text by text as they come,
    so that only missing ones are asked for."""
    from evalkit.teachers.outputs import OutputStore

    def ask(batches: Sequence[Sequence[str]], answer: Answer) -> None:
        classify(gate, teacher, batches, lambda at, said: answer(at, np.asarray(said.probabilities, dtype=np.float32)))

    with OutputStore(gate.run.root / OUTPUTS) as store:
        return store.probabilities(teacher.version, texts, ask, on_progress)


def _counted(report: Callable[[float, str], None]) -> Callable[[int, int], None]:
    return lambda done, total: report(done / total, f"{done:,} of {total:,} texts")
