"""How much data: students trained on nested parts of the training rows, and the curve that their gaps lie on.

No model's answer to the held-out set is scored, so that its uses are not counted up by this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit.data.nested import nested_parts
from evalkit.data.truth import NO_LABEL
from evalkit.errors import DataError, SpecError
from evalkit.record.curve_record import SCHEMA_VERSION, CurveRecord, MeasuredOn, TeacherElsewhere, write_curve
from evalkit.record.layout import RunFolder, claim, locked, utc_now
from evalkit.record.stages import StageResult
from evalkit.spec.distill import Distill
from evalkit.spec.loading import LoadedSpec
from evalkit.stats.curve_points import Reference, curve_points
from evalkit.stats.interval import Interval
from evalkit.stats.learning_curve import FEWEST_SIZES, read_curve, withdrawn
from evalkit.stats.sample_size import power_not_worse
from evalkit.workflow.before_training import before_training
from evalkit.workflow.earlier_runs import earlier_teacher_accuracy
from evalkit.workflow.gate import Gate, Reporter
from evalkit.workflow.measured_apart import Ground, part_of_training, table_of_its_own
from evalkit.workflow.own_student import student_code
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.teaching import lessons_of
from evalkit.workflow.trainings import Wanted, trained_all

VERSION = 1
MOST_SEEDS = 100
POWER = 0.8
INHERITED = (
    "the teacher has learnt the measured rows and the student starts from its weights, so that neither is measured on "
    "rows that are new to it; give labelled rows that the teacher has not seen by --measure-on"
)
BISECTIONS = 12
"""To a thousandth of a point."""

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCurve:
    """``shares`` in (0, 1], ascending, of the rows at hand; trainings a size; a labelled table to measure on, None for
    a part of the training rows."""

    shares: tuple[float, ...]
    seeds: int
    measure_on: Path | None = None


def asked_curve(percents: Sequence[float], seeds: int, measure_on: Path | None = None) -> AskedCurve:
    """The question, from percentages. Raises SpecError where it cannot be asked.

    >>> asked_curve([100, 10, 25], seeds=1).shares
    (0.1, 0.25, 1.0)
    """
    wrong = [each for each in percents if not 0 < each <= 100]
    if wrong:
        raise SpecError(f"--shares has {wrong[0]:g}; give percentages above 0 and up to 100, e.g. 10,25,50,100")
    shares = tuple(sorted({each / 100 for each in percents}))
    if len(shares) < FEWEST_SIZES:
        raise SpecError(
            f"--shares has {len(shares)} different sizes; a curve needs {FEWEST_SIZES} or more, e.g. 10,25,50,100"
        )
    if not 1 <= seeds <= MOST_SEEDS:
        raise SpecError(f"--seeds is {seeds}; give 1 to {MOST_SEEDS}, at least 3 to count how trainings vary")
    return AskedCurve(shares=shares, seeds=seeds, measure_on=measure_on)


def learning_curve(loaded: LoadedSpec, root: Path, reporter: Reporter, asked: AskedCurve) -> CurveRecord:
    """Trains the students in the run folder ``root``, each a stage of its own, and writes curve.json there.

    Raises SpecError where there is nothing to train or no bar, DataError where the rows do not do for the sizes.
    """
    distill, bar = _distill(loaded), _bar(loaded)
    run = RunFolder(root.resolve())
    with locked(run):
        claim(run, loaded.spec.model_dump(mode="json"), loaded.digest)
        gate = Gate(loaded=loaded, run=run, reporter=reporter)
        inputs, teacher = before_training(gate)
        lessons = lessons_of(gate, inputs, teacher)
        if asked.measure_on is None:
            ground = part_of_training(gate, lessons, teacher)
        else:
            ground = table_of_its_own(gate, inputs, lessons, teacher, asked.measure_on)
        seeds = tuple(loaded.spec.seed + number for number in range(asked.seeds))
        rows, right = _measured(gate, ground, distill, asked.shares, seeds)
        elsewhere = _teacher_elsewhere(gate, ground, inputs.digests["held_out"], teacher)
        record = _record(gate, ground, asked, seeds, bar, rows, right, elsewhere, len(inputs.held_out))
        write_curve(run, record)
    return record


def _distill(loaded: LoadedSpec) -> Distill:
    if loaded.spec.student.distill is None:
        raise SpecError(
            f"{loaded.path.name} has no student.distill, so more rows change nothing; say there how to train one"
        )
    return loaded.spec.student.distill


def _bar(loaded: LoadedSpec) -> float:
    margin = loaded.spec.requirements.quality.overall_margin
    if margin is None:
        raise SpecError("requirements.quality.overall_margin is null, so there is no bar to come to; give one")
    return -margin


def _measured(
    gate: Gate, ground: Ground, distill: Distill, shares: tuple[float, ...], seeds: tuple[int, ...]
) -> tuple[IntArray, BoolArray]:
    """The rows of each size [sizes], and where the students are right [seeds, measured, sizes]."""
    parts = [nested_parts(ground.units, shares, seed) for seed in seeds]
    rows = np.array([[len(part) for part in each] for each in parts]).mean(axis=0).round().astype(np.int64)
    _refuse_sizes(rows, shares, distill)
    wanted = [
        Wanted(name=f"curve-{100 * share:g}", lessons=ground.pool.part(part), distill=distill, seed=seed)
        for seed, each in zip(seeds, parts, strict=True)
        for share, part in zip(shares, each, strict=True)
    ]
    digest = ground.digest()
    answers = [_answers(gate, weights, ground, digest, distill.max_length) for weights in trained_all(gate, wanted)]
    right = np.stack(answers) == ground.labels
    return rows, right.reshape(len(seeds), len(shares), -1).transpose(0, 2, 1)


def _refuse_sizes(rows: IntArray, shares: tuple[float, ...], distill: Distill) -> None:
    """Raises DataError where a size does not fill one step, or is no larger than the one before."""
    if not distill.fills_a_step(int(rows[0])):
        raise DataError(
            f"{100 * shares[0]:g} % of the rows to train on ({rows[0]:,}) does not fill a step of "
            f"{distill.step_rows} (student.distill.batch_rows · accumulate); give larger --shares or a smaller batch"
        )
    if (np.diff(rows) <= 0).any():
        raise DataError(f"--shares give {', '.join(f'{each:,}' for each in rows)} rows; sizes must differ: give others")


def _answers(gate: Gate, weights: StageResult, ground: Ground, digest: str, max_length: int) -> IntArray:
    """A student's answers [measured] as numbers into the task's labels, by torch from its weights: no file is exported
    for a student that nobody serves."""

    def work(folder: Path) -> None:
        from evalkit.modelling.loading import load_classifier
        from evalkit.modelling.predicting import torch_answers

        student = load_classifier(weights.folder / "weights", code=student_code(gate))
        answers = torch_answers(student, ground.texts, max_length, gate.spec.task.labels)
        np.save(folder / "answers.npy", answers)

    stated = {"weights": weights.key, "measured": digest, "max_length": max_length, "labels": gate.spec.task.labels}
    found: IntArray = np.load(gate.stage("curve-answers", VERSION, stated, work).folder / "answers.npy")
    return found


def _teacher_elsewhere(
    gate: Gate, ground: Ground, held_out: str, teacher: ServableModel | None
) -> TeacherElsewhere | None:
    """The teacher's accuracy that an earlier run has on the held-out set: read, not measured again."""
    if teacher is None or ground.source != "data.train":
        return None
    found = earlier_teacher_accuracy(gate.run.root.parent, held_out, gate.spec.data.columns, teacher.version)
    if found is None:
        return None
    run, accuracy = found
    here = _accuracy(ground, gate.level)
    known = here.lower > accuracy.upper
    taken = known and not _starts_from_teacher(_distill(gate.loaded))
    return TeacherElsewhere(run=run, accuracy=accuracy, known=known, taken=taken)


def _accuracy(ground: Ground, level: float) -> Interval:
    found = curve_points(
        np.array([1]), ground.teacher[np.newaxis, :, np.newaxis], np.zeros_like(ground.teacher), ground.clusters
    )
    return found.gap(0, level)


def _record(
    gate: Gate,
    ground: Ground,
    asked: AskedCurve,
    seeds: tuple[int, ...],
    bar: float,
    rows: IntArray,
    right: BoolArray,
    elsewhere: TeacherElsewhere | None,
    held_out_rows: int,
) -> CurveRecord:
    here, against = _accuracy(ground, gate.level), None
    if elsewhere is not None and elsewhere.taken:
        against = _reference(elsewhere.accuracy)
    points = curve_points(rows, right, against or ground.teacher, ground.clusters)
    accuracy = against.accuracy if against else here.point
    pool = ground.pool.rows
    distill = _distill(gate.loaded)
    shown_from = _shown_from(bar, _discordance(ground, right), held_out_rows, gate.confidence)
    reading = read_curve(
        points,
        bar,
        accuracy,
        gate.level,
        np.random.default_rng(gate.spec.seed),
        _learnt(ground, rows, right, gate.level),
        shown_from,
    )
    if elsewhere is not None and elsewhere.known and not elsewhere.taken:
        reading = withdrawn(reading, INHERITED)
    return CurveRecord(
        schema_version=SCHEMA_VERSION,
        task=gate.spec.task.name,
        spec_digest=gate.loaded.digest,
        made_at=utc_now(),
        bar=bar,
        shown_from=shown_from,
        held_out_rows=held_out_rows,
        confidence=gate.confidence,
        shares=asked.shares,
        seeds=seeds,
        rows_at_hand=len(pool),
        unlabelled=int((pool.labels == NO_LABEL).sum()),
        trained_for=_trained_for(distill),
        measured_on=MeasuredOn(
            source=ground.source,
            rows=len(ground.texts),
            units=points.units,
            clustered_by=ground.clustered_by,
            teacher=here,
        ),
        teacher_elsewhere=elsewhere,
        starts_from_teacher=_starts_from_teacher(distill),
        reading=reading,
    )


def _starts_from_teacher(distill: Distill) -> bool:
    """Whether weights of the teacher's, and what they hold of its training rows, are in the student from the start."""
    return distill.cut_layers is not None or (distill.encoder is not None and distill.encoder.embeddings == "pca")


def _learnt(ground: Ground, rows: IntArray, right: BoolArray, level: float) -> BoolArray:
    """The sizes at which the students are shown to answer better than the commonest label of the measured rows."""
    commonest = np.bincount(ground.labels).argmax()
    better = curve_points(rows, right, np.asarray(ground.labels == commonest), ground.clusters)
    return np.array([better.gap(at, level).lower > 0 for at in range(len(rows))])


def _discordance(ground: Ground, right: BoolArray) -> float:
    """The share of the measured rows on which exactly one of the teacher and a largest student is right."""
    return float((right[:, :, -1] != ground.teacher).mean())


def _shown_from(bar: float, discordance: float, rows: int, confidence: float) -> float | None:
    """The gap at which so many independent rows show with ``POWER`` that the bar is met; None where none does."""

    def power(gap: float) -> float:
        return power_not_worse(rows, gap, discordance, -bar, confidence)

    low, high = max(bar, -discordance), discordance
    if power(high) < POWER or power(low) >= POWER:
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def _trained_for(distill: Distill) -> str:
    epochs = f"{distill.epochs} epoch{'s' * (distill.epochs > 1)}"
    return epochs if distill.steps is None else f"{epochs}, at most {distill.steps:,} steps"


def _reference(accuracy: Interval) -> Reference:
    """Its variance, from half the width of its interval."""
    from scipy.stats import norm

    error = (accuracy.upper - accuracy.lower) / (2 * float(norm.ppf((1 + accuracy.level) / 2)))
    return Reference(accuracy=accuracy.point, variance=error**2)
