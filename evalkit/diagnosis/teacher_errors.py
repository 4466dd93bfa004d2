"""Teacher errors baked in: the student repeats the teacher's mistakes more often than its control makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.quality.controls import EVIDENCE
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.crossed_mean import effective_clusters
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.proportions import proportion

EXCESS = "student_minus_control_copied_teacher_errors"
FEWEST_ERRORS = 30
"""Rows that the teacher must get wrong before a share of them is a rate."""
MOST_EXAMPLES = 5
ROUNDING = 1e-9
NO_CONTROL = "no student of the same budget was trained on the true labels; ask for it with `controls: [hard_labels]`"
PRACTICE = (
    "correct or leave out the teacher's outputs where the label contradicts them, give the true labels more weight in "
    "the loss, or use a better teacher"
)

Answers = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedRows:
    """Answers to the same held-out rows: ``truth``, ``teacher``, ``student`` [rows]; ``control`` [seeds, rows] of the
    same student trained on true labels, None where there is none. ``ids`` [rows], ``clusters`` [rows] where rows belong
    together."""

    ids: Sequence[str]
    truth: Answers
    teacher: Answers
    student: Answers
    control: Answers | None
    clusters: NDArray[np.int64] | None = None


def teacher_errors(rows: CopiedRows, margin: float | None, level: float, rng: np.random.Generator) -> Finding:
    """P(student = teacher's answer | teacher wrong) less the same of the control, with its paired BCa interval.

    A student that learned the task by itself makes some of the teacher's mistakes too, because the same rows are hard
    for both; the control says how many. It fires where the excess's lower bound is above 0 and the teacher's errors
    matter to the bar: their share's lower bound is above ``margin``, what the student may lose (None: any error
    matters). Rows, or whole clusters, are drawn with all answers to them; the seeds of the control are averaged. The
    interval is over rows and takes the trained models as they are.

    Where all its mistakes are copied alike, the bound is Clopper and Pearson's on mistakes of another kind. Without a
    control, or with fewer than 30 wrong answers of the teacher, there is no estimate, and it never fires.
    Raises ValueError for arrays of other lengths.
    """
    wrong = rows.teacher != rows.truth
    value = _excess(rows, wrong, level, rng)
    error = value if isinstance(value, NotEstimable) else _error_rate(wrong, rows.clusters, level, rng)
    matters = isinstance(error, Interval) and (margin is None or error.lower > margin)
    return Finding(
        failure_mode=FailureMode.TEACHER_ERRORS,
        measurement=Measurement(name=EXCESS, subpopulation=ALL_ROWS, unit="share", value=value, evidence=EVIDENCE),
        fired=isinstance(value, Interval) and value.lower > 0 and matters,
        explanation=_explain(rows, wrong, value, error, margin, matters=matters),
        corrective_practice=PRACTICE,
        examples=_examples(rows, wrong) if isinstance(value, Interval) and value.lower > 0 else (),
    )


def _excess(rows: CopiedRows, wrong: NDArray[np.bool_], level: float, rng: np.random.Generator) -> Estimate:
    errors = int(wrong.sum())
    if rows.control is None:
        return NotEstimable(reason=NO_CONTROL, n=errors)
    if errors < FEWEST_ERRORS:
        return NotEstimable(
            reason=f"the teacher is wrong on {errors} rows; {FEWEST_ERRORS} are needed",
            n=errors,
            n_needed=FEWEST_ERRORS,
        )
    student, control = _copies(rows.student, rows.teacher), _copies(rows.control, rows.teacher)
    more = (student - control)[wrong]
    if np.ptp(more) <= ROUNDING:
        return _all_alike(float(more[0]), None if rows.clusters is None else rows.clusters[wrong], errors, level)
    terms = np.column_stack([wrong * student, wrong * control, wrong]).astype(np.float64)
    return bootstrap_sums(
        terms, lambda sums: _share(sums[..., 0] - sums[..., 1], sums[..., 2]), level, rng, clusters=rows.clusters
    )


def _all_alike(excess: float, clusters: NDArray[np.int64] | None, errors: int, level: float) -> Estimate:
    """The bound where every mistake of the teacher is copied alike, so that no resample differs: a share of mistakes
    that none of these ``errors`` (effective clusters) shows may be the utmost other way, Clopper and Pearson's."""
    units = errors if clusters is None else math.floor(effective_clusters(clusters) + ROUNDING)
    unseen = proportion(0, units, level)
    assert isinstance(unseen, Interval)
    return Interval(
        point=excess,
        lower=max(-1.0, excess - unseen.upper * (excess + 1.0)),
        upper=min(1.0, excess + unseen.upper * (1.0 - excess)),
        level=level,
        n=units,
        method="all mistakes are copied alike; Clopper-Pearson bound on others",
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _copies(answers: Answers, teacher: Answers) -> NDArray[np.float64]:
    """How often each row is answered as the teacher answers it [rows], over seeds where there are several."""
    given = np.atleast_2d(answers)
    if given.shape[1] != len(teacher):
        raise ValueError(f"{given.shape[1]} answers for {len(teacher)} rows of the teacher; give one for each row")
    return np.asarray((given == teacher).mean(axis=0), dtype=np.float64)


def _error_rate(
    wrong: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float, rng: np.random.Generator
) -> Estimate:
    if clusters is None:
        return proportion(int(wrong.sum()), len(wrong), level)
    terms = np.column_stack([wrong, np.ones(len(wrong))]).astype(np.float64)
    return bootstrap_sums(terms, lambda sums: sums[..., 0] / sums[..., 1], level, rng, clusters=clusters)


def _examples(rows: CopiedRows, wrong: NDArray[np.bool_]) -> tuple[str, ...]:
    """Mistakes of the teacher that the student repeats and the control makes least."""
    assert rows.control is not None
    copied = np.flatnonzero(wrong & (rows.student == rows.teacher))
    by_control = _copies(rows.control, rows.teacher)[copied]
    chosen = copied[np.argsort(by_control, kind="stable")][:MOST_EXAMPLES]
    return tuple(str(rows.ids[index]) for index in chosen)


def _explain(
    rows: CopiedRows,
    wrong: NDArray[np.bool_],
    value: Estimate,
    error: Estimate,
    margin: float | None,
    *,
    matters: bool,
) -> str:
    if isinstance(value, NotEstimable):
        return f"not measured: {value.reason}"
    assert rows.control is not None
    student, control = (_copies(each, rows.teacher)[wrong].mean() for each in (rows.student, rows.control))
    rate = f"{error.point:.1%} of all rows" if isinstance(error, Interval) else "an unknown share of all rows"
    allowed = (
        "" if margin is None else f", {'more' if matters else 'not shown to be more'} than the {margin:.1%} allowed"
    )
    return (
        f"where the teacher is wrong ({rate}{allowed}) the student repeats its answer in {student:.1%} and a student "
        f"trained on true labels in {control:.1%}: {100 * value.point:+.1f} points "
        f"({100 * value.lower:+.1f} to {100 * value.upper:+.1f})"
    ).replace("-", "−")
