"""The points of a learning curve: gaps of several sizes on the same rows, with the covariance between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from evalkit.stats.interval import Interval

ENOUGH_SEEDS = 3
"""Fewer trainings than these say nothing of other trainings."""
UNSEEN = 3.0
"""Rows on which one size alone differs, and which nobody has seen: no difference in n rows leaves up to 3/n of them."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The teacher's accuracy as known from other rows, with its variance: for a teacher that has learnt the rows on
    which the students are measured."""

    accuracy: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoints:
    """``rows`` [k] trained on, ascending; ``gaps`` [k], student minus teacher accuracy, means over the trainings.

    ``by_unit`` [k, k] is their covariance over the ``units`` (rows or clusters) they are measured on; ``by_training``
    [k] the variance of each over trainings, with its degrees of freedom, or zeros where there are too few ``seeds``.
    """

    rows: IntArray
    gaps: FloatArray
    by_unit: FloatArray
    by_training: FloatArray
    training_freedom: int
    units: int
    seeds: int

    @property
    def covariance(self) -> FloatArray:
        """[k, k], over units and trainings."""
        return self.by_unit + np.diag(self.by_training)

    @property
    def method(self) -> str:
        """What the intervals are over."""
        if self.seeds < ENOUGH_SEEDS:
            return (
                f"over the measured rows, of {self.seeds} training{'s' * (self.seeds > 1)} a size; others not counted"
            )
        return f"over the measured rows and {self.seeds} trainings a size, crossed"

    def of(self, sizes: BoolArray) -> CurvePoints:
        """The points of some ``sizes`` [k] alone."""
        return replace(
            self,
            rows=self.rows[sizes],
            gaps=self.gaps[sizes],
            by_unit=self.by_unit[np.ix_(sizes, sizes)],
            by_training=self.by_training[sizes],
        )

    def gap(self, at: int, level: float) -> Interval:
        """The gap of one size."""
        return self._combined(np.eye(len(self.rows))[at], level, "paired t")

    def per_doubling(self, level: float) -> Interval:
        """The slope of the gap in log2(rows), by weighted least squares."""
        design = np.stack([np.ones(len(self.rows)), np.log2(self.rows / self.rows[-1])], axis=1)
        weighted = np.linalg.solve(self.covariance, design)
        slope = np.linalg.solve(design.T @ weighted, weighted.T)[1]
        return self._combined(slope, level, "slope in log2(rows), weighted least squares")

    def noise(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Deviations [draws, k] from the true gaps, normal over units; over trainings t with the degrees of freedom of
        their variance, as one factor a draw."""
        deviations = rng.standard_normal((draws, len(self.rows))) @ np.linalg.cholesky(self.by_unit).T
        if self.by_training.any():
            stretch = np.sqrt(self.training_freedom / rng.chisquare(self.training_freedom, (draws, 1)))
            deviations += rng.standard_normal(deviations.shape) * np.sqrt(self.by_training) * stretch
        return deviations

    def _combined(self, weights: FloatArray, level: float, how: str) -> Interval:
        """A linear combination of the gaps, with Satterthwaite's degrees of freedom."""
        point = float(weights @ self.gaps)
        units, training = float(weights @ self.by_unit @ weights), float(weights**2 @ self.by_training)
        freedom = self.units - 1.0
        if training > 0:
            freedom = (units + training) ** 2 / (units**2 / freedom + training**2 / self.training_freedom)
        half = float(student_t.ppf((1 + level) / 2, freedom)) * math.sqrt(units + training)
        method = f"{how}, {self.method}"
        return Interval(point=point, lower=point - half, upper=point + half, level=level, n=self.units, method=method)


def curve_points(
    rows: IntArray, student: BoolArray, teacher: BoolArray | Reference, clusters: IntArray | None
) -> CurvePoints:
    """The points of students that are right where ``student`` [seeds, measured, k] says, against the ``teacher``:
    right where it says [measured], paired by row, or its accuracy on rows that it had not seen.

    ``clusters`` [measured] are drawn whole. The covariance is the jackknife's that leaves out one of them at a time
    (``evalkit.quality.design_effect``), with that of ``UNSEEN`` rows added, so that no size is without variance. The
    variance over trainings is what the means of the seeds vary by beyond what rows explain, pooled over the sizes.
    """
    reference = teacher.accuracy if isinstance(teacher, Reference) else teacher[np.newaxis, :, np.newaxis]
    differences = student.astype(np.float64) - np.asarray(reference, dtype=np.float64)
    seeds, measured, sizes = differences.shape
    by_row = differences.mean(axis=0)
    by_unit, units = _jackknife(by_row, clusters)
    by_unit += UNSEEN * np.eye(sizes) / measured**2
    if isinstance(teacher, Reference):
        by_unit += teacher.variance
    return CurvePoints(
        rows=np.asarray(rows, dtype=np.int64),
        gaps=by_row.mean(axis=0),
        by_unit=by_unit,
        by_training=_by_training(differences),
        training_freedom=sizes * max(1, seeds - 1),
        units=units,
        seeds=seeds,
    )


def _jackknife(by_row: FloatArray, clusters: IntArray | None) -> tuple[FloatArray, int]:
    """Covariance [k, k] of the column means of ``by_row`` [n, k], and the number of units."""
    n = len(by_row)
    numbers = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(numbers).astype(np.float64)
    centred = by_row - by_row.mean(axis=0)
    summed = np.stack([np.bincount(numbers, weights=column) for column in centred.T], axis=1)
    left_out = summed / (1.0 - sizes / n)[:, np.newaxis]
    count = len(sizes)
    return (count - 1) / count * (left_out.T @ left_out) / n**2, count


def _by_training(differences: FloatArray) -> FloatArray:
    """Variance [k] of the mean over seeds that the rows do not explain: of [seeds, rows, k], rows and seeds crossed."""
    seeds, rows, sizes = differences.shape
    if seeds < ENOUGH_SEEDS:
        return np.zeros(sizes)
    of_seed = differences.mean(axis=1).var(axis=0, ddof=1)
    left = differences - differences.mean(axis=0) - differences.mean(axis=1, keepdims=True)
    left += differences.mean(axis=(0, 1))
    residual = (left**2).sum(axis=(0, 1)) / ((seeds - 1) * (rows - 1))
    beyond = float((of_seed - residual / rows).mean())
    return np.full(sizes, max(beyond, 0.0) / seeds)
