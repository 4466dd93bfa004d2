"""What distillation gained over the same student trained otherwise: paired by row and by seed.

A trained model is one draw: another seed gives another model. The rows are a sample too. Rows and seeds are crossed
(every model answers every row), so the variance of the mean difference is that of the row means, plus that of the seed
means, less the residual that both contain: Cornfield and Tukey (1956), Annals of Mathematical Statistics 27, 907–949.
Its degrees of freedom are Satterthwaite's (1946), Biometrics Bulletin 2, 110–114.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_fraction
from evalkit.stats.proportions import proportion

FEWEST_ROWS = 30
ENOUGH_SEEDS = 3
"""Fewer trainings than these carry no claim about training, though two have a variance."""
WORTH_IT = 0.01

FloatArray = NDArray[np.float64]


def gain(correct_student: ArrayLike, correct_control: ArrayLike, level: float) -> Estimate:
    """Mean accuracy of the student less that of its control, with an interval at two-sided ``level``.

    Both arrays are [seeds, rows], 1 where the model of that seed answers the row rightly: the same seeds and the same
    rows. Rows are taken as independent. With one or two seeds the interval is over rows alone, of these trainings and
    no others, and its ``method`` says so. Where not a single answer differs in rightness, the bound is Clopper and
    Pearson's on the share of rows that differ. Fewer than 30 rows are not estimable.
    Raises ValueError for other shapes, values other than 0 and 1, and a level outside (0, 1).

    >>> rng = np.random.default_rng(1)
    >>> right = rng.random((3, 2000)) < 0.85
    >>> better = gain(right, right & (rng.random((3, 2000)) < 0.97), level=0.90)
    >>> f"{better.lower:.3f} {better.point:.3f} {better.upper:.3f}; {better.n} rows"
    '0.023 0.026 0.029; 2000 rows'
    """
    require_fraction("level", level)
    differences = _checked(correct_student, "student") - _same_shape(correct_student, correct_control)
    seeds, rows = differences.shape
    if rows < FEWEST_ROWS:
        return NotEstimable(reason=f"{rows} rows; {FEWEST_ROWS} are needed", n=rows, n_needed=FEWEST_ROWS)
    if not differences.any():
        return _bound_without_a_difference(rows, level)
    if not (differences - differences.mean(axis=1, keepdims=True)).any():
        return NotEstimable(reason="student and control differ alike on every row, which has no variance", n=rows)
    squared, freedom = _variance(differences)
    half = float(student_t.ppf((1 + level) / 2, freedom)) * math.sqrt(squared)
    point = float(differences.mean())
    return Interval(
        point=point,
        lower=max(-1.0, point - half),
        upper=min(1.0, point + half),
        level=level,
        n=rows,
        method=_method(seeds),
    )


def recommend_against(gained: Estimate, worth: float = WORTH_IT) -> str | None:
    """Why not to distil; None where the gain is shown to be above 0, and where there is none to speak of.

    "As good" is claimed only where the upper bound excludes a gain of ``worth``; otherwise the reason says that
    nothing is shown.
    """
    if isinstance(gained, NotEstimable) or gained.lower > 0:
        return None
    seen = f"{100 * gained.point:+.1f} points ({100 * gained.lower:+.1f} to {100 * gained.upper:+.1f})"
    if gained.upper < worth:
        reason = f"do not distil: the control is as good, distillation gains {seen} of accuracy"
    else:
        reason = f"distillation is not shown to gain anything over the control: {seen}; train more seeds to know"
    return reason.replace("-", "−")


def _checked(correct: ArrayLike, name: str) -> FloatArray:
    values = np.asarray(correct, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}; give [seeds, rows]")
    if not np.isin(values, (0.0, 1.0)).all():
        raise ValueError(f"{name} holds values other than 0 and 1; give whether each answer is right")
    return values


def _same_shape(student: ArrayLike, control: ArrayLike) -> FloatArray:
    values, wanted = _checked(control, "control"), np.shape(student)
    if values.shape != wanted:
        raise ValueError(f"control has shape {values.shape} and student {wanted}; give the same seeds and rows")
    return values


def _bound_without_a_difference(rows: int, level: float) -> Interval:
    differing = proportion(0, rows, level)
    assert isinstance(differing, Interval)
    bound = differing.upper
    return Interval(
        point=0.0, lower=-bound, upper=bound, level=level, n=rows, method="no row differs; Clopper-Pearson bound"
    )


def _variance(differences: FloatArray) -> tuple[float, float]:
    """Variance of the mean of ``differences`` [seeds, rows], and its degrees of freedom."""
    seeds, rows = differences.shape
    by_row = float(differences.mean(axis=0).var(ddof=1)) / rows
    if seeds < ENOUGH_SEEDS:
        return (by_row, rows - 1) if by_row > 0 else (float(differences.var(ddof=1)) / differences.size, rows - 1)
    by_seed = float(differences.mean(axis=1).var(ddof=1)) / seeds
    residual = _residual(differences) / (rows * seeds)
    total = max(by_row + by_seed - residual, by_row, by_seed)
    freedom = total**2 / (by_row**2 / (rows - 1) + by_seed**2 / (seeds - 1))
    return total, max(float(freedom), seeds - 1.0)


def _residual(differences: FloatArray) -> float:
    """Mean square of what neither the row nor the seed explains."""
    seeds, rows = differences.shape
    left = differences - differences.mean(axis=0) - differences.mean(axis=1, keepdims=True) + differences.mean()
    return float((left**2).sum() / ((seeds - 1) * (rows - 1)))


def _method(seeds: int) -> str:
    if seeds < ENOUGH_SEEDS:
        return f"paired t over rows, of {seeds} training{'s' if seeds > 1 else ''}; other seeds not counted"
    return f"paired by row and seed, rows and {seeds} seeds crossed, Satterthwaite t"
