"""The student against its controls on the same held-out rows: what distilling gained, each gain with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.spec.controls import HARD_LABELS, LOAD, TEACHER_ARGMAX, TFIDF
from evalkit.stats.distillation_gain import accuracy, gain
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import ALL_ROWS, Measurement

GAIN = "student_accuracy_gain_over_"
EVIDENCE = "controls.parquet"
WHAT = {
    HARD_LABELS: "the same student trained on the true labels",
    TEACHER_ARGMAX: "the same student trained on the teacher's answers alone",
    TFIDF: "TF-IDF with logistic regression on the true labels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one training of a model took: ``rows`` it learned from, ``steps`` of the optimiser (the most of all seeds)
    and mean ``seconds``. None for what does not apply: a finished classifier took none of them here."""

    rows: int | None = None
    steps: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model that answered the held-out rows: ``right`` [trainings, rows]."""

    name: str
    right: NDArray[np.bool_]
    budget: Budget = Budget()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """One model. ``gain`` is the student's accuracy less this one's; None of the student itself."""

    name: str
    trainings: int
    accuracy: Estimate
    gain: Estimate | None
    budget: Budget
    note: str = ""

    @property
    def what(self) -> str:
        """In words; a finished classifier is called by its folder."""
        return WHAT.get(self.name, self.name.removeprefix(LOAD))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsReport:
    """The student and its controls. Each accuracy has an interval at ``level``; those of the gains hold together at
    ``level`` (Bonferroni). ``seeds`` is how many trainings the student has, 1 of a finished one. A gain below ``worth``
    is not worth distilling for. ``taught`` says whether the student was trained in this run."""

    student: ControlLine
    controls: tuple[ControlLine, ...]
    level: float
    seeds: int
    worth: float
    taught: bool


def against_controls(
    student: Contender,
    controls: Sequence[Contender],
    *,
    clusters: NDArray[np.int64] | None,
    level: float,
    worth: float,
    taught: bool,
) -> ControlsReport:
    """``clusters`` [rows] says which rows belong together; None: every row stands for itself.

    Raises ValueError for controls that answered other rows, or have neither one training nor one a seed.
    """
    together = 1.0 - (1.0 - level) / len(controls)
    return ControlsReport(
        student=_line(student, None, clusters, level),
        controls=tuple(
            _line(each, gain(student.right, each.right, together, clusters), clusters, level) for each in controls
        ),
        level=level,
        seeds=len(student.right),
        worth=worth,
        taught=taught,
    )


def gain_measurements(report: ControlsReport) -> tuple[Measurement, ...]:
    """Each gain as a measurement over all rows."""
    return tuple(
        Measurement(
            name=f"{GAIN}{line.name}",
            subpopulation=ALL_ROWS,
            unit="share of rows",
            value=line.gain,
            evidence=EVIDENCE,
        )
        for line in report.controls
        if line.gain is not None
    )


def _line(model: Contender, gained: Estimate | None, clusters: NDArray[np.int64] | None, level: float) -> ControlLine:
    return ControlLine(
        name=model.name,
        trainings=len(model.right),
        accuracy=accuracy(model.right, level, clusters),
        gain=gained,
        budget=model.budget,
        note=model.note,
    )
