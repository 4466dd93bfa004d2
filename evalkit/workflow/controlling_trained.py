"""The student and the same student taught otherwise, each from the same seeds, with as many steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.data.truth import NO_LABEL
from evalkit.predictions.aligned import STUDENT
from evalkit.record.stages import StageResult
from evalkit.spec.controls import HARD_LABELS, TRAINED, Controls
from evalkit.spec.distill import SINGLE_KEYS, Distill
from evalkit.students.early_stopping import split
from evalkit.students.schedule import schedule_of
from evalkit.workflow.gate import Gate
from evalkit.workflow.teaching import Lessons
from evalkit.workflow.training import STUDENT_WEIGHTS
from evalkit.workflow.trainings import Wanted, trained_all


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedSeeds:
    """One way of training: its weights from each seed, in the order of the seeds."""

    name: str
    weights: tuple[StageResult, ...]


def trained_seeds(gate: Gate, lessons: Lessons, distill: Distill, controls: Controls) -> tuple[TrainedSeeds, ...]:
    """The student first, then the controls that are trained as it is. The student's own training is found again."""
    seeds = [gate.spec.seed + each for each in range(controls.seeds)]
    student = next(stage for stage in gate.done if stage.name == STUDENT_WEIGHTS)
    wanted = [Wanted(name=STUDENT_WEIGHTS, lessons=lessons, distill=distill, seed=seed) for seed in seeds[1:]]
    asked = [name for name in TRAINED if name in controls.names]
    wanted += [_wanted(name, lessons, distill, seed) for name in asked for seed in seeds]
    done = iter((student, *trained_all(gate, wanted)))
    return tuple(TrainedSeeds(name=name, weights=tuple(next(done) for _ in seeds)) for name in (STUDENT, *asked))


def _wanted(name: str, lessons: Lessons, distill: Distill, seed: int) -> Wanted:
    stage = f"control-{name.replace('_', '-')}"
    if name != HARD_LABELS:
        return Wanted(name=stage, lessons=lessons, distill=taught(distill, "answers"), seed=seed)
    labelled = np.flatnonzero(lessons.rows.labels != NO_LABEL)
    part = lessons if len(labelled) == len(lessons.rows) else lessons.part(labelled)
    return Wanted(
        name=stage,
        lessons=part,
        distill=with_steps_of(distill, taught(distill, "hard"), lessons.rows.texts, part.rows.texts, seed),
        seed=seed,
    )


def taught(distill: Distill, objective: str) -> Distill:
    """The same student, trained in the same way on one other objective."""
    stated = distill.model_dump(exclude_unset=True, exclude={*SINGLE_KEYS, "objectives"})
    return Distill.model_validate({**stated, "objectives": [{"objective": objective}]})


def with_steps_of(
    distill: Distill, control: Distill, texts: Sequence[str], control_texts: Sequence[str], seed: int
) -> Distill:
    """``control`` with as many steps on its own texts as ``distill`` takes on ``texts``: more epochs, where the texts
    are fewer, of which the last may end early. Early stopping may end either of them before."""
    schedule = schedule_of(distill, seed)
    steps = schedule.steps(len(split(texts, distill.held_back, seed)[0]))
    an_epoch = math.ceil(len(split(control_texts, distill.held_back, seed)[0]) / schedule.step_rows)
    return control.model_copy(update={"epochs": math.ceil(steps / an_epoch), "steps": steps})
