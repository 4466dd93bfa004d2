"""The three estimates of a paired comparison: both models' own values and their gap, from the same resamples."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalkit.quality.metrics.metric import Described, FloatArray
from evalkit.stats.bca import interval_from_replicates
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

    def bca(self, point: float, replicates: FloatArray, acceleration: float) -> Estimate:
        """The BCa interval of replicates [B]; not estimable, for the metric's reason, where the point is undefined."""
        if not math.isfinite(point):
            return NotEstimable(reason=self.metric.undefined, n=self.n)
        return interval_from_replicates(point, replicates, acceleration, self.level, self.n, self.method)

    def percentile(self, point: float, replicates: FloatArray) -> Estimate:
        """The percentile interval of replicates [B], chosen and not fallen back to."""
        estimate = self.bca(point, replicates, math.nan)
        if not isinstance(estimate, Interval):
            return estimate
        return replace(estimate, method=_WHY_NOT_BCA.sub("", estimate.method))

    def all_three(self, points: FloatArray, replicates: FloatArray, accelerations: Sequence[float]) -> Estimates:
        """BCa intervals of gap, teacher and student, in this order: points [3], replicates [3, B]."""
        gap, teacher, student = (
            self.bca(float(point), drawn, skew)
            for point, drawn, skew in zip(points, replicates, accelerations, strict=True)
        )
        return Estimates(gap=gap, teacher=teacher, student=student)


def together(teacher: FloatArray, student: FloatArray) -> FloatArray:
    """Gap, teacher and student, [3, ...]."""
    return np.stack([student - teacher, teacher, student])


def nothing(reason: str, n: int, n_needed: int | None = None) -> Estimates:
    """All three not estimable for one reason."""
    missing = NotEstimable(reason=reason, n=n, n_needed=n_needed)
    return Estimates(gap=missing, teacher=missing, student=missing)
