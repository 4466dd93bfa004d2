"""Which labelled rows a learning curve is measured on, and which are left to train on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.dataset import Rows, training_rows
from evalkit.data.leakage import normalised
from evalkit.data.nested import inseparable, set_apart
from evalkit.data.reading import read_table
from evalkit.data.truth import NO_LABEL
from evalkit.errors import DataError, SpecError
from evalkit.quality.design_effect import too_few_clusters
from evalkit.record.stages import StageResult
from evalkit.workflow.answering import in_task_order
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import Lessons

VERSION = 1
MEASURED_SHARE = 0.2
"""Of the labelled training rows; they are lost to the curve's trainings, not to the student that the gate judges."""
FEWEST_MEASURED = 100
MOST_MEASURED = 5000
"""Enough for a gap within a point; more would be lost to training."""

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """``pool`` is what the students learn from, ``units`` [pool] number its rows that must stay together. On the
    measured ``texts`` [m] with the true ``labels`` [m] (numbers into the task's) the teacher is right where
    ``teacher`` [m] says; ``clusters`` [m] belong together, None where each row stands for itself."""

    pool: Lessons
    units: IntArray
    source: str
    texts: tuple[str, ...]
    labels: IntArray
    teacher: BoolArray
    clusters: IntArray | None
    clustered_by: str | None

    def digest(self) -> str:
        """Names the measured texts."""
        return hashlib.sha256(json.dumps(self.texts).encode()).hexdigest()


def part_of_training(gate: Gate, lessons: Lessons, teacher: ServableModel | None) -> Ground:
    """A fifth of the labelled training rows is measured on, drawn by the spec's seed; rows of equal text or of one
    cluster are on one side. Raises DataError where that are fewer than 100 rows, or clusters worth fewer than 5."""
    rows = lessons.rows
    clusters = _clusters(gate, rows)
    units = inseparable(rows.texts, clusters)
    labelled = rows.labels != NO_LABEL
    count = min(MOST_MEASURED, int(MEASURED_SHARE * labelled.sum()))
    _refuse_few(count, f"{MEASURED_SHARE:.0%} of the {int(labelled.sum()):,} labelled rows of data.train")
    apart, rest = set_apart(units, labelled, count, gate.spec.seed)
    measured = apart[labelled[apart]]
    answers = _answers(gate, teacher, lessons.probabilities()[measured])
    return _ground(gate, lessons.part(rest), units[rest], "data.train", rows.part(measured), units[measured], answers)


def table_of_its_own(gate: Gate, inputs: Inputs, lessons: Lessons, teacher: ServableModel | None, path: Path) -> Ground:
    """The labelled rows of another table are measured on, and every training row is left to train on.

    Raises DataError for texts that stand in data.train or data.held_out too, and as ``part_of_training``.
    """
    spec = gate.spec
    if teacher is None:
        raise SpecError("--measure-on needs teacher.load: an API teacher has not answered that table")
    every = training_rows(read_table(path, "--measure-on"), spec.data.columns, spec.task.labels, spec.task.kind)
    rows = every.part(np.flatnonzero(every.labels != NO_LABEL))
    _refuse_few(len(rows), f"--measure-on {path} has {len(rows):,} labelled rows, which")
    for name, other in (("data.train", lessons.rows), ("data.held_out", inputs.held_out)):
        known = {normalised(text) for text in other.texts}
        shared = sum(normalised(text) in known for text in rows.texts)
        if shared:
            raise DataError(f"{shared} texts of --measure-on {path} stand in {name} too; leave them out")
    units = inseparable(rows.texts, _clusters(gate, rows))
    texts = rows.texts

    def work(folder: Path) -> None:
        def report(done: int) -> None:
            gate.reporter.progress(done / len(texts), f"teacher: {done:,} of {len(texts):,} texts")

        np.save(folder / "answers.npy", in_task_order(gate, teacher, texts, report)[0].argmax(1))

    stated = {"teacher": teacher.version, "texts": texts, "labels": spec.task.labels, "provider": spec.serve.provider}
    answered: StageResult = gate.stage("curve-teacher", VERSION, stated, work)
    answers = np.load(answered.folder / "answers.npy")
    own = inseparable(lessons.rows.texts, _clusters(gate, lessons.rows))
    return _ground(gate, lessons, own, path.name, rows, units, answers)


def _ground(
    gate: Gate, pool: Lessons, pool_units: IntArray, source: str, rows: Rows, units: IntArray, answers: IntArray
) -> Ground:
    together = len(np.unique(units)) < len(units)
    clusters = units if together else None
    if len(np.unique(rows.labels)) < 2:
        raise DataError(
            f"all {len(rows):,} measured rows of {source} have one label, on which every student that always gives it "
            "is perfect; label rows of other labels too"
        )
    few = too_few_clusters(clusters)
    if few is not None:
        raise DataError(f"the measured rows of {source} cannot carry a learning curve: {few.reason}")
    column = gate.spec.data.columns.cluster
    named = column is not None and column in rows.table.columns
    return Ground(
        pool=pool,
        units=pool_units,
        source=source,
        texts=rows.texts,
        labels=rows.labels,
        teacher=np.asarray(answers == rows.labels, dtype=np.bool_),
        clusters=clusters,
        clustered_by=(column if named else "equal texts") if together else None,
    )


def _clusters(gate: Gate, rows: Rows) -> pd.Series | None:
    """The spec's clusters, where the table has the column."""
    column = gate.spec.data.columns.cluster
    return rows.table[column] if column is not None and column in rows.table.columns else None


def _answers(gate: Gate, teacher: ServableModel | None, probabilities: NDArray[np.float32]) -> IntArray:
    """Numbers into the task's labels [rows]; a loaded teacher has its labels in an order of its own."""
    labels = gate.spec.task.labels
    own = labels if teacher is None else teacher.manifest.labels
    order = [own.index(label) for label in labels]
    return np.asarray(probabilities[:, order].argmax(1), dtype=np.int64)


def _refuse_few(count: int, what: str) -> None:
    if count < FEWEST_MEASURED:
        raise DataError(
            f"{what} are {count:,} rows to measure the learning curve on; at least {FEWEST_MEASURED} are needed: label "
            "more rows, or give a labelled table that neither model has learnt from by --measure-on"
        )
