"""Over-compression: where the student loses its teacher, on the texts it was taught or only on new ones.

Agreement on the training texts says whether the student could take in what it was taught, agreement on held-out texts
whether that carries over. Low on training: too little capacity, or training that fell short; a larger student of the
same training tells which. High on training, low on held-out: the training text covers too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.proportions import proportion

AGREEMENT = "agreement_with_teacher_on_training_texts"
FOLLOWS = 0.90
"""A student that answers nine taught texts in ten as its teacher does has taken in what it was taught: a convention."""
CARRIES_OVER = 0.05
"""What the agreement may lose from taught to new texts before the training text is to blame. Another convention."""
FEWEST_TEXTS = 100
MOST_EXAMPLES = 5

Agrees = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One trained student: whether it answers as the teacher does, on training texts [n] and held-out texts [m].

    ``parameters`` is its size. All rungs of a ladder answer the same texts in the same order.
    """

    name: str
    parameters: int | None
    train: Agrees
    held_out: Agrees


class Cause(Enum):
    """Why a student does not follow its teacher."""

    NONE = auto()
    COVERAGE = auto()
    CAPACITY = auto()
    OPTIMISATION = auto()
    CAPACITY_OR_OPTIMISATION = auto()


_MODES = {
    Cause.NONE: FailureMode.OVER_COMPRESSION,
    Cause.COVERAGE: FailureMode.COVERAGE,
    Cause.CAPACITY: FailureMode.OVER_COMPRESSION,
    Cause.OPTIMISATION: FailureMode.UNDER_TRAINING,
    Cause.CAPACITY_OR_OPTIMISATION: FailureMode.OVER_COMPRESSION,
}
_PRACTICES = {
    Cause.NONE: "nothing to correct",
    Cause.COVERAGE: "label more and more varied text of the task with the teacher and train on it",
    Cause.CAPACITY: "take a larger student",
    Cause.OPTIMISATION: "train longer, or with another learning rate, before a larger student is tried",
    Cause.CAPACITY_OR_OPTIMISATION: "train a larger student the same way: if it follows, size was too small; if it "
    "does not, train longer or with another learning rate",
}
_READINGS = {
    Cause.NONE: "nothing of that is shown to be too little",
    Cause.COVERAGE: "it follows on what it was taught and loses too much on new texts: coverage, not size",
    Cause.CAPACITY: "a student of the teacher's size, trained the same way, does follow: too small",
    Cause.OPTIMISATION: "a student of the teacher's size, trained the same way, does not follow either: training, "
    "not size",
    Cause.CAPACITY_OR_OPTIMISATION: "it has not taken in what it was taught; whether it is too small or its training "
    "fell short, this student alone cannot tell",
}

BETTER = "it is shown to be right more often than its teacher, so what it does not follow is no fault"


def over_compression(
    student: Rung,
    level: float,
    *,
    ladder: Sequence[Rung] = (),
    control: Rung | None = None,
    held_out_ids: Sequence[str] = (),
    is_better: bool = False,
) -> Finding:
    """Fires where the agreement is shown to be too little, and names the cause as far as the evidence goes.

    On training texts "low" means that the upper bound is below 0.90, "high" that the lower bound is at least that.
    Low, and a larger rung of ``ladder`` or the teacher-sized ``control`` agrees more (paired, lower bound above 0) and
    the largest is high: capacity. Low, and the control is low too: optimisation. Low otherwise: one or the other, which
    cannot be told. High, and from training to held-out the agreement loses more than 0.05 by its lower bound: coverage.
    A student that is shown to be right more often than its teacher (``is_better``) disagrees for good reason, and
    nothing fires. Shares have Wilson's interval, differences on the same texts Tango's and between sets of texts
    Newcombe's (1998, Statistics in Medicine 17, 873–890). Texts are taken as independent. Not estimable below 100 texts
    in a set. Raises ValueError for rungs that answer other texts.
    """
    value = _agreement(student, level)
    unread = is_better or isinstance(value, NotEstimable)
    cause = Cause.NONE if unread else cause_of(student, level, ladder, control)
    return Finding(
        failure_mode=_MODES[cause],
        measurement=Measurement(
            name=AGREEMENT, subpopulation=ALL_ROWS, unit="share", value=value, evidence="agreement.parquet"
        ),
        fired=cause is not Cause.NONE,
        explanation=_explain(student, value, BETTER if is_better else _READINGS[cause], level, ladder, control),
        corrective_practice=_PRACTICES[cause],
        examples=_lost(student, held_out_ids) if cause is not Cause.NONE else (),
    )


def cause_of(student: Rung, level: float, ladder: Sequence[Rung], control: Rung | None) -> Cause:
    """The rule of ``over_compression``, for sets large enough."""
    agreed = _share(student.train, level)
    if agreed.upper >= FOLLOWS:
        loses = agreed.lower >= FOLLOWS and _loses_at_least(student, level) > CARRIES_OVER
        return Cause.COVERAGE if loses else Cause.NONE
    if control is not None and _share(control.train, level).upper < FOLLOWS:
        return Cause.OPTIMISATION
    largest = control if control is not None else _largest(student, ladder)
    if largest is None or _share(largest.train, level).lower < FOLLOWS:
        return Cause.CAPACITY_OR_OPTIMISATION
    return Cause.CAPACITY if _rises(student, largest, level) else Cause.CAPACITY_OR_OPTIMISATION


def _largest(student: Rung, ladder: Sequence[Rung]) -> Rung | None:
    known = [each for each in ladder if each.parameters is not None and each.parameters > (student.parameters or 0)]
    return max(known, key=lambda each: each.parameters or 0, default=None)


def _rises(student: Rung, larger: Rung, level: float) -> bool:
    """Whether the larger student agrees more on the same training texts."""
    if len(student.train) != len(larger.train):
        raise ValueError(
            f"{larger.name} answers {len(larger.train)} training texts and {student.name} {len(student.train)}; "
            "a ladder is compared on the same texts"
        )
    gained, lost = int((larger.train & ~student.train).sum()), int((student.train & ~larger.train).sum())
    lower, _ = tango_bounds(gained, lost, len(student.train), level)
    return bool(lower > 0)


def _agreement(student: Rung, level: float) -> Estimate:
    smaller = min(len(student.train), len(student.held_out))
    if smaller < FEWEST_TEXTS:
        return NotEstimable(
            reason=f"{smaller} texts in the smaller set; {FEWEST_TEXTS} are needed", n=smaller, n_needed=FEWEST_TEXTS
        )
    return _share(student.train, level)


def _share(agrees: Agrees, level: float) -> Interval:
    share = proportion(int(agrees.sum()), len(agrees), level)
    assert isinstance(share, Interval)
    return share


def _loses_at_least(student: Rung, level: float) -> float:
    """Lower bound of agreement on training less on held-out texts: Newcombe's hybrid of two Wilson intervals."""
    taught, new = _share(student.train, level), _share(student.held_out, level)
    return float(taught.point - new.point - np.hypot(taught.point - taught.lower, new.upper - new.point))


def _lost(student: Rung, ids: Sequence[str]) -> tuple[str, ...]:
    """Held-out rows that the student answers otherwise than its teacher."""
    return tuple(str(ids[index]) for index in np.flatnonzero(~student.held_out)[:MOST_EXAMPLES]) if len(ids) else ()


def _explain(
    student: Rung, value: Estimate, reading: str, level: float, ladder: Sequence[Rung], control: Rung | None
) -> str:
    if isinstance(value, NotEstimable):
        return f"not measured: {value.reason}"
    others = [*sorted(ladder, key=lambda each: each.parameters or 0), *([control] if control is not None else [])]
    beside = "".join(f"; {each.name} {_text(_share(each.train, level))}" for each in others)
    return (
        f"the student answers as its teacher does on {_text(value)} of training texts and on "
        f"{_text(_share(student.held_out, level))} of held-out ones{beside}; {reading}"
    )


def _text(share: Interval) -> str:
    return f"{share.point:.1%} ({share.lower:.1%} to {share.upper:.1%})"
