"""The three estimates of a paired comparison: both models' own values and their gap, from the same resamples."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from evalkit.quality.metrics.metric import Described, FloatArray, IntArray
from evalkit.stats.bca import bca_interval, interval_from_replicates
from evalkit.stats.interval import Estimate, Interval, NotEstimable

_WHY_NOT_BCA = re.compile(r" \(BCa undefined: [^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """``gap`` is student − teacher."""

    gap: Estimate
    teacher: Estimate
    student: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """How a metric's resamples are told: the two-sided ``level`` of its intervals, ``n`` units drawn by ``method``."""

    metric: Described
    level: float
    n: int
    method: str

    def bca(
        self, point: float, replicates: FloatArray, left_out: FloatArray, often: IntArray | None = None
    ) -> Estimate:
        """The BCa interval of replicates [B], with the values without each unit [m] and how many ``often`` [m] says
        there are of it. Not estimable, for the metric's reason, where the point is undefined, and where fewer than 5
        units carry the spread (``carrying_units``)."""
        if not math.isfinite(point):
            return self._undefined()
        return bca_interval(point, replicates, left_out, self.level, self.n, self.method, often)

    def percentile(self, point: float, replicates: FloatArray, carrying: float = math.nan) -> Estimate:
        """The percentile interval of replicates [B], chosen and not fallen back to; ``carrying`` is how many units
        carry their spread, NaN where it does not matter."""
        if not math.isfinite(point):
            return self._undefined()
        estimate = interval_from_replicates(point, replicates, math.nan, self.level, self.n, self.method, carrying)
        if not isinstance(estimate, Interval):
            return estimate
        return replace(estimate, method=_WHY_NOT_BCA.sub("", estimate.method))

    def of_models(
        self, points: FloatArray, replicates: FloatArray, left_out: FloatArray, often: IntArray | None = None
    ) -> tuple[Estimate, Estimate]:
        """BCa intervals of teacher and student, in this order: points [2], replicates [2, B], left_out [2, m]."""
        teacher, student = (
            self.bca(float(point), drawn, without, often)
            for point, drawn, without in zip(points, replicates, left_out, strict=True)
        )
        return teacher, student

    def _undefined(self) -> NotEstimable:
        return NotEstimable(reason=self.metric.undefined, n=self.n)


def together(teacher: FloatArray, student: FloatArray) -> FloatArray:
    """Gap, teacher and student, [3, ...]."""
    return np.stack([student - teacher, teacher, student])


def nothing(reason: str, n: int, n_needed: int | None = None) -> Estimates:
    """All three not estimable for one reason."""
    missing = NotEstimable(reason=reason, n=n, n_needed=n_needed)
    return Estimates(gap=missing, teacher=missing, student=missing)
