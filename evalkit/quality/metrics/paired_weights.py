"""Paired bootstrap of a metric that is a function of row weights, for any part of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.estimates import Estimates, Resampled, nothing, together
from evalkit.quality.metrics.metric import FloatArray, IntArray, Weighted
from evalkit.stats.bca import acceleration
from evalkit.stats.bootstrap import CLUSTER_METHOD, METHOD
from evalkit.stats.resampling import BLOCK_BYTES, resamples

JACKKNIFE_GROUPS = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedWeights:
    """A metric that is computed anew from the weights of the rows, with both models' answers."""

    metric: Weighted
    teacher: Answered
    student: Answered

    def estimates(
        self, units: IntArray, clusters: IntArray | None, level: float, rng: np.random.Generator, replicates: int
    ) -> Estimates:
        """Gap and both values over the rows ``units`` [m]; ``clusters`` [m] says which of them belong together."""
        if len(units) == 0:
            return nothing("there are no rows", n=0, n_needed=1)
        of_teacher, of_student = (self.metric.prepare(each.take(units)) for each in (self.teacher, self.student))

        def values(weights: FloatArray) -> FloatArray:
            return together(of_teacher(weights), of_student(weights))

        belongs = np.arange(len(units)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        n = int(belongs.max()) + 1
        points = values(np.ones((1, len(units))))[:, 0]
        if not np.isfinite(points).any():
            return nothing(self.metric.undefined, n=n)
        group = (rng.permutation(n) % min(JACKKNIFE_GROUPS, n))[belongs]
        left_out = np.concatenate(
            [values((group != each)[np.newaxis] * 1.0) for each in range(group.max() + 1)], axis=1
        )
        drawn = [values(weights) for weights in _row_weights(n, belongs, replicates, rng)]
        resampled = Resampled(
            metric=self.metric, level=level, n=n, method=METHOD if clusters is None else CLUSTER_METHOD
        )
        return resampled.all_three(points, np.concatenate(drawn, axis=1), [acceleration(each) for each in left_out])


def _row_weights(n: int, belongs: IntArray, replicates: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Blocks of row weights, [B, rows], ``replicates`` in all: as often as the unit of each row is drawn."""
    rows = max(1, BLOCK_BYTES // (8 * len(belongs)))
    for weights in resamples(np.ones(n, dtype=np.int64), replicates, rng):
        for first in range(0, len(weights), rows):
            yield weights[first : first + rows, belongs]
