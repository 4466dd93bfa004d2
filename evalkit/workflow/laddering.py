"""Several students of one spec: trained first, then judged one after another, then held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evalkit.decision.smallest import confidence_of_each
from evalkit.errors import SpecError
from evalkit.modelling.shape import layers_and_width
from evalkit.record.ladder_record import LadderRecord, write_ladder
from evalkit.record.layout import RunFolder, claim, locked, utc_now
from evalkit.record.looks import looks_at
from evalkit.record.run_record import RunRecord, write_record
from evalkit.record.stages import StageResult, file_digest
from evalkit.spec.contradictions import Contradiction, refuse_contradictions
from evalkit.spec.loading import LoadedSpec, canonical_json, spec_digest
from evalkit.spec.rungs import RungShape, TeacherShape, shapes_of
from evalkit.teachers.outputs import Answer, OutputStore
from evalkit.workflow.before_training import before_training
from evalkit.workflow.check import check
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.laddering_lines import Climbed, put_ladder_together
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import OUTPUTS, Lessons, lessons_of
from evalkit.workflow.training import STUDENT_WEIGHTS
from evalkit.workflow.trainings import Wanted, trained_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One student of the ladder: its shape, its own spec, and the run folder that answers it."""

    shape: RungShape
    loaded: LoadedSpec
    run: RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What is asked, before anything is done. ``digest`` names it."""

    loaded: LoadedSpec
    sizes: str
    rungs: tuple[Rung, ...]
    margin: float
    run: RunFolder
    digest: str

    @property
    def command(self) -> str:
        return f"evalkit ladder {self.loaded.path.name} --sizes {self.sizes}"


def planned_ladder(loaded: LoadedSpec, sizes: str, margin: float | None, root: Path | None) -> Ladder:
    """The rungs that ``sizes`` names, each with a spec of its own. Raises SpecError before any work.

    The ladder's folder is ``root``, or runs/TASK-ladder-DIGEST; the rungs' run folders lie beside it, where stages are
    shared.
    """
    distill = loaded.spec.student.distill
    if distill is None:
        raise SpecError(
            f"{loaded.path.name} has no student.distill, so there is no student to vary in size; add it, or run "
            "evalkit check"
        )
    asked = loaded.spec.requirements.quality.overall_margin if margin is None else margin
    if asked is None:
        raise SpecError(
            "requirements.quality.overall_margin is null; say with --margin how much of the best is allowed"
        )
    if not 0.0 < asked < 1.0:
        raise SpecError(f"--margin is {asked:g}; give a fraction in (0, 1), e.g. 0.02")
    shapes = shapes_of(sizes, distill, _teacher_shape(loaded))
    specs = [_derived(loaded, shape) for shape in shapes]
    stated = {"rungs": [each.digest for each in specs], "margin": asked}
    digest = hashlib.sha256(canonical_json(stated).encode()).hexdigest()
    name = loaded.spec.task.name
    folder = root or loaded.path.parent / "runs" / f"{name}-ladder-{digest[:8]}"
    workspace = folder.resolve().parent
    rungs = tuple(
        Rung(shape=shape, loaded=spec, run=RunFolder(workspace / f"{name}-{spec.digest[:8]}"))
        for shape, spec in zip(shapes, specs, strict=True)
    )
    ladder = Ladder(
        loaded=loaded, sizes=sizes, rungs=rungs, margin=asked, run=RunFolder(folder.resolve()), digest=digest
    )
    _refuse_too_few_looks(ladder)
    return ladder


def climb(ladder: Ladder, reporter: Reporter, say: Callable[[str], None]) -> tuple[LadderRecord, tuple[RunRecord, ...]]:
    """Trains every rung, then runs the gate of each, and returns the ladder's record and those of the rungs, in the
    order asked for.

    Every spec's digest is written down before anything is evaluated. Killed and started again, it goes on: finished
    stages are found. Raises an EvalkitError where the question cannot be asked or a stage breaks.
    """
    with locked(ladder.run):
        recorded = claim(ladder.run, _stated(ladder), ladder.digest)
        for rung in ladder.rungs:
            with locked(rung.run):
                claim(rung.run, rung.loaded.spec.model_dump(mode="json"), rung.loaded.digest)
        say(f"all are trained first: {', '.join(rung.shape.name for rung in ladder.rungs)}")
        lessons, teacher, weights = _trained(ladder, reporter)
        parameters = [each.read("training.json")["parameters"] for each in weights]
        records = []
        for number, rung in enumerate(ladder.rungs, start=1):
            say(f"rung {number} of {len(ladder.rungs)}: {rung.shape.name}, in {rung.run.root}")
            _hand_over(rung.run, teacher, lessons)
            record = check(rung.loaded, rung.run.root, reporter)
            record = replace(record, signature=replace(record.signature, command=ladder.command))
            write_record(rung.run, record)
            records.append(record)
        climbed = tuple(
            Climbed(shape=rung.shape, run=rung.run, record=record, parameters=count)
            for rung, record, count in zip(ladder.rungs, records, parameters, strict=True)
        )
        made = put_ladder_together(
            ladder.loaded,
            climbed,
            margin=ladder.margin,
            confidence=confidence_of_each(ladder.loaded.spec),
            digest=ladder.digest,
            recorded_at=recorded["recorded_at"],
            decided_at=utc_now(),
            command=ladder.command,
        )
        write_ladder(ladder.run, made)
    return made, tuple(records)


def _trained(ladder: Ladder, reporter: Reporter) -> tuple[Lessons, ServableModel | None, tuple[StageResult, ...]]:
    """All trainings in the ladder's own folder, from which the rungs take them over. No teacher where it is an API."""
    gate = Gate(loaded=ladder.rungs[0].loaded, run=ladder.run, reporter=reporter)
    inputs, teacher = before_training(gate)
    lessons = lessons_of(gate, inputs, teacher)
    seed = ladder.loaded.spec.seed
    wanted = [
        Wanted(name=STUDENT_WEIGHTS, lessons=lessons, distill=rung.shape.distill, seed=seed) for rung in ladder.rungs
    ]
    return lessons, teacher, trained_all(gate, wanted)


def _hand_over(run: RunFolder, teacher: ServableModel | None, lessons: Lessons) -> None:
    """Puts the teacher's answers to the training texts where the rung's diagnosis looks for them."""
    if teacher is None:
        return
    texts = lessons.rows.texts
    known = dict(zip(texts, lessons.probabilities(), strict=True))

    def ask(batches: Sequence[Sequence[str]], answer: Answer) -> None:
        for at, batch in enumerate(batches):
            answer(at, np.stack([known[text] for text in batch]))

    with OutputStore(run.root / OUTPUTS) as store:
        store.probabilities(teacher.version, texts, ask, lambda *_: None)


def _stated(ladder: Ladder) -> dict[str, object]:
    return {
        "gate": ladder.loaded.spec.model_dump(mode="json"),
        "gate_digest": ladder.loaded.digest,
        "sizes": ladder.sizes,
        "margin": ladder.margin,
        "rungs": [
            {"name": rung.shape.name, "spec_digest": rung.loaded.digest, "run": rung.run.root.name}
            for rung in ladder.rungs
        ],
    }


def _teacher_shape(loaded: LoadedSpec) -> TeacherShape | None:
    stated = loaded.spec.teacher.load
    if stated is None:
        return None
    layers, width = layers_and_width(loaded.resolve(stated))
    return TeacherShape(layers=layers, width=width)


def _derived(loaded: LoadedSpec, shape: RungShape) -> LoadedSpec:
    """The same question about another student, at the confidence that each rung of a ladder is asked at."""
    spec = loaded.spec
    requirements = spec.requirements.model_copy(update={"confidence": confidence_of_each(spec)})
    student = spec.student.model_copy(update={"distill": shape.distill})
    derived = spec.model_copy(update={"student": student, "requirements": requirements})
    try:
        refuse_contradictions(derived)
    except Contradiction as error:
        raise SpecError(f"--sizes: {shape.name}: {error}") from error
    return replace(loaded, spec=derived, digest=spec_digest(derived))


def _refuse_too_few_looks(ladder: Ladder) -> None:
    """Raises SpecError where the planned looks do not reach for every rung: the last ones could not be GO."""
    looks = ladder.loaded.spec.requirements.looks
    held_out = ladder.loaded.resolve(ladder.loaded.spec.data.held_out)
    if looks is None or not held_out.is_file():
        return
    own = {rung.loaded.digest for rung in ladder.rungs}
    used = [look for look in looks_at(ladder.run.root.parent, file_digest(held_out)) if look.question.spec not in own]
    if len(used) + len(own) > looks.planned:
        raise SpecError(
            f"requirements.looks plans {looks.planned} looks, {len(used)} are used and the ladder has {len(own)} "
            "rungs, each of which is one; name fewer sizes, or plan enough before the first look"
        )
