"""What distillation gained over the same student trained otherwise: paired by row and by seed."""

from __future__ import annotations

import math
from enum import Enum, auto

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.stats.crossed_mean import ENOUGH_SEEDS as ENOUGH_SEEDS
from evalkit.stats.crossed_mean import FEWEST_ROWS as FEWEST_ROWS
from evalkit.stats.crossed_mean import crossed_mean, effective_clusters, too_few
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_fraction
from evalkit.stats.proportions import proportion

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ROUNDING = 1e-9


class Gained(Enum):
    """What an interval of the gain shows."""

    SHOWN = auto()
    """The student is better than its control."""
    AS_GOOD = auto()
    """The control is no further behind than is worth distilling for."""
    BEHIND = auto()
    """The control is better."""
    OPEN = auto()
    """Neither."""
    NOT_MEASURED = auto()


def gain(
    correct_student: ArrayLike, correct_control: ArrayLike, level: float, clusters: IntArray | None = None
) -> Estimate:
    """Mean accuracy of the student less that of its control, with an interval at two-sided ``level``.

    Both arrays are [seeds, rows], 1 where the model of that seed answers the row rightly: the same seeds and the same
    rows. A control that no seed changes has one training, [1, rows], and is held against each of the student's: the
    interval then counts the student's seeds. ``clusters`` [rows] says which rows belong together; without them rows are
    independent. With one or two seeds the interval is over rows alone, of these trainings and no others, and its
    ``method`` says so. Where not a single answer differs in rightness, the bound is Clopper and Pearson's on the share
    of rows (effective clusters) that differ. Fewer than 30 rows or 10 effective clusters are not estimable.
    Raises ValueError for other shapes, values other than 0 and 1, and a level outside (0, 1).

    >>> rng = np.random.default_rng(1)
    >>> right = rng.random((3, 2000)) < 0.85
    >>> better = gain(right, right & (rng.random((3, 2000)) < 0.97), level=0.90)
    >>> f"{better.lower:.3f} {better.point:.3f} {better.upper:.3f}; {better.n} rows"
    '0.023 0.026 0.029; 2000 rows'
    """
    require_fraction("level", level)
    student, control = _checked(correct_student, "student"), _checked(correct_control, "control")
    if control.shape not in (student.shape, (1, student.shape[1])):
        raise ValueError(f"control has shape {control.shape} and student {student.shape}; give the same seeds and rows")
    differences = student - control
    few = too_few(differences.shape[1], clusters)
    if few is not None:
        return few
    if not differences.any():
        return _bound_without_a_difference(differences.shape[1], clusters, level)
    return _within(crossed_mean(differences, level, clusters), -1.0)


def accuracy(correct: ArrayLike, level: float, clusters: IntArray | None = None) -> Estimate:
    """Mean accuracy of the models [seeds, rows], with the same interval; Wilson's of one training and independent rows.

    Where every answer is right, or every one wrong, Clopper and Pearson's of the rows (effective clusters).
    """
    values = _checked(correct, "correct")
    few = too_few(values.shape[1], clusters)
    if few is not None:
        return few
    alike = bool((values == values.flat[0]).all())
    if alike or (clusters is None and len(values) == 1):
        units = _units(values.shape[1], clusters)
        return proportion(round(float(values.mean()) * units), units, level)
    return _within(crossed_mean(values, level, clusters), 0.0)


def gained(value: Estimate, worth: float) -> Gained:
    """What the interval of a gain shows. "As good" is said only where the upper bound excludes a gain of ``worth`` and
    the lower does not show one.

    >>> gained(Interval(point=-0.02, lower=-0.03, upper=-0.01, level=0.9, n=900, method=""), worth=0.01).name
    'BEHIND'
    """
    if isinstance(value, NotEstimable):
        return Gained.NOT_MEASURED
    if value.lower > 0:
        return Gained.SHOWN
    if value.upper < 0:
        return Gained.BEHIND
    return Gained.AS_GOOD if value.upper < worth else Gained.OPEN


def _within(value: Estimate, least: float) -> Estimate:
    """The interval inside what is possible: from ``least`` to 1."""
    if isinstance(value, NotEstimable):
        return value
    return Interval(
        point=value.point,
        lower=max(least, value.lower),
        upper=min(1.0, value.upper),
        level=value.level,
        n=value.n,
        method=value.method,
    )


def _checked(correct: ArrayLike, name: str) -> FloatArray:
    values = np.asarray(correct, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}; give [seeds, rows]")
    if not np.isin(values, (0.0, 1.0)).all():
        raise ValueError(f"{name} holds values other than 0 and 1; give whether each answer is right")
    return values


def _units(rows: int, clusters: IntArray | None) -> int:
    """Rows, or whole effective clusters."""
    return rows if clusters is None else math.floor(effective_clusters(clusters) + ROUNDING)


def _bound_without_a_difference(rows: int, clusters: IntArray | None, level: float) -> Interval:
    units = _units(rows, clusters)
    differing = proportion(0, units, level)
    assert isinstance(differing, Interval)
    what = "row" if clusters is None else "cluster"
    return Interval(
        point=0.0,
        lower=-differing.upper,
        upper=differing.upper,
        level=level,
        n=units,
        method=f"no {what} differs; Clopper-Pearson bound",
    )
