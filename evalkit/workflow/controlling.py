"""The student against its controls: what distilling gained, and whether the teacher's errors were learnt as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.truth import CLASSIFICATION
from evalkit.diagnosis.finding import Finding
from evalkit.diagnosis.teacher_errors import CopiedRows, teacher_errors
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.controls import (
    EVIDENCE,
    Budget,
    Contender,
    ControlsReport,
    against_controls,
    gain_measurements,
)
from evalkit.record.layout import write_text
from evalkit.record.stages import StageResult
from evalkit.spec.controls import HARD_LABELS, TFIDF, Controls, OffTheShelf, name_of
from evalkit.stats.measurement import Measurement
from evalkit.workflow.answering import Answered
from evalkit.workflow.controlling_answers import (
    AnswersStage,
    answers_of_folder,
    answers_of_tfidf,
    answers_of_weights,
)
from evalkit.workflow.controlling_trained import trained_seeds
from evalkit.workflow.gate import Gate
from evalkit.workflow.grouping import Grouping
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import lessons_of

VERSION = 1
NOT_CONVERGED = "the fit did not converge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """What the stage found, as it lies in controls.json. ``report`` is None where the spec asks for no control; then
    only the finding says that it could not be measured."""

    report: ControlsReport | None
    findings: tuple[Finding, ...]
    stage: StageResult | None = None

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return () if self.report is None else gain_measurements(self.report)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answering:
    """One model: its answers of each training; None for a student that is judged by its recorded or served answers."""

    name: str
    answers: tuple[AnswersStage, ...] | None
    budget: Budget
    note: str = ""

    def keys(self) -> list[str] | None:
        return None if self.answers is None else [each.stage.key for each in self.answers]


def hold_against_controls(
    gate: Gate, inputs: Inputs, answered: Answered, grouping: Grouping, teacher: ServableModel | None
) -> Controlled:
    """Trains the controls that the spec asks for and compares. A student that was distilled in this run answers through
    torch, as they do; one that was given finished, by the answers that are judged."""
    spec = gate.spec
    if spec.controls is None:
        taught = spec.student.distill is not None and spec.task.kind == CLASSIFICATION
        return Controlled(report=None, findings=(_without_control(gate, answered),) if taught else ())
    from pydantic import TypeAdapter

    models = _answering(gate, inputs, teacher, spec.controls)

    def work(folder: Path) -> None:
        table = _table(gate, answered, models)
        table.to_parquet(folder / EVIDENCE, index=False)
        found = _compared(gate, answered, grouping, models)
        write_text(folder / "controls.json", TypeAdapter(Controlled).dump_json(found, indent=1).decode())

    stage = gate.stage(
        "controls",
        VERSION,
        {
            "predictions": answered.stage.key,
            "models": [[each.name, each.keys()] for each in models],
            "worth": spec.controls.worth,
            "level": gate.level,
            "margin": grouping.overall_margin,
            "seed": spec.seed,
        },
        work,
    )
    found = TypeAdapter(Controlled).validate_json((stage.folder / "controls.json").read_bytes())
    return Controlled(report=found.report, findings=found.findings, stage=stage)


def _answering(gate: Gate, inputs: Inputs, teacher: ServableModel | None, controls: Controls) -> tuple[_Answering, ...]:
    """The student first, then the controls in the order of the spec."""
    distill = gate.spec.student.distill
    found: dict[str, _Answering] = {}
    if distill is None:
        found[STUDENT] = _Answering(name=STUDENT, answers=None, budget=Budget())
    else:
        for one in trained_seeds(gate, lessons_of(gate, inputs, teacher), distill, controls):
            answers = tuple(answers_of_weights(gate, inputs, weights, distill.max_length) for weights in one.weights)
            found[one.name] = _Answering(name=one.name, answers=answers, budget=_budget(one.weights))
    if TFIDF in controls.names:
        fitted = answers_of_tfidf(gate, inputs)
        facts = fitted.stage.read("training.json")
        found[TFIDF] = _Answering(
            name=TFIDF,
            answers=(fitted,),
            budget=Budget(rows=facts["rows"], seconds=facts["seconds"]),
            note="" if facts["converged"] else NOT_CONVERGED,
        )
    for each in controls.against:
        if isinstance(each, OffTheShelf):
            name = name_of(each)
            found[name] = _Answering(name=name, answers=(answers_of_folder(gate, inputs, each.load),), budget=Budget())
    return (found[STUDENT], *(found[name_of(each)] for each in controls.against))


def _budget(trainings: Sequence[StageResult]) -> Budget:
    facts = [each.read("training.json") for each in trainings]
    return Budget(
        rows=max(each["rows"] for each in facts),
        steps=max(each["steps"] for each in facts),
        seconds=round(float(np.mean([each["seconds"] for each in facts])), 1),
    )


def _compared(gate: Gate, answered: Answered, grouping: Grouping, models: Sequence[_Answering]) -> Controlled:
    controls = gate.spec.controls
    assert controls is not None
    truth = _numbers(gate, answered, "row_label")
    given = {each.name: _answers(gate, answered, each) for each in models}
    student, *others = (
        Contender(name=each.name, right=given[each.name] == truth, budget=each.budget, note=each.note)
        for each in models
    )
    clusters = _clusters(answered)
    report = against_controls(
        student,
        others,
        clusters=clusters,
        level=gate.level,
        worth=controls.worth,
        taught=gate.spec.student.distill is not None,
    )
    if gate.spec.student.distill is None:
        return Controlled(report=report, findings=())
    rows = CopiedRows(
        ids=[str(each) for each in answered.table["row_id"]],
        truth=truth,
        teacher=_numbers(gate, answered, TEACHER),
        student=given[STUDENT][0],
        control=given.get(HARD_LABELS),
        clusters=clusters,
    )
    rng = np.random.default_rng(gate.spec.seed)
    return Controlled(report=report, findings=(teacher_errors(rows, grouping.overall_margin, gate.level, rng),))


def _without_control(gate: Gate, answered: Answered) -> Finding:
    """That the teacher's errors could not be looked for, and how to ask."""
    rows = CopiedRows(
        ids=[str(each) for each in answered.table["row_id"]],
        truth=_numbers(gate, answered, "row_label"),
        teacher=_numbers(gate, answered, TEACHER),
        student=_numbers(gate, answered, STUDENT),
        control=None,
    )
    return teacher_errors(rows, None, gate.level, np.random.default_rng(gate.spec.seed))


def _answers(gate: Gate, answered: Answered, model: _Answering) -> NDArray[np.int64]:
    """Label numbers [trainings, rows]."""
    if model.answers is None:
        return _numbers(gate, answered, STUDENT)[np.newaxis]
    return np.stack([each.numbers() for each in model.answers])


def _numbers(gate: Gate, answered: Answered, column: str) -> NDArray[np.int64]:
    """A column of labels as numbers into the task's [rows]."""
    return np.asarray(
        pd.Index(gate.spec.task.labels).get_indexer(pd.Index(answered.table[column].astype(str))), dtype=np.int64
    )


def _clusters(answered: Answered) -> NDArray[np.int64] | None:
    if answered.cluster is None:
        return None
    return np.asarray(pd.factorize(answered.table[answered.cluster])[0], dtype=np.int64)


def _table(gate: Gate, answered: Answered, models: Sequence[_Answering]) -> pd.DataFrame:
    """Every model's answers beside what is right: a column a training, numbered from the spec's seed."""
    labels = np.asarray(gate.spec.task.labels, dtype=object)
    columns = {name: answered.table[name] for name in ("row_id", "row_label", TEACHER)}
    for model in models:
        answers = _answers(gate, answered, model)
        for number, one in enumerate(answers):
            seed = f", seed {gate.spec.seed + number}" if model.budget.steps is not None else ""
            columns[f"{model.name}{seed}"] = pd.Series(labels[one])
    return pd.DataFrame(columns)
