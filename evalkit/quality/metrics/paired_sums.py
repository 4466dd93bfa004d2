"""Paired bootstrap of a metric that is a function of sums, for any part of the rows.

Simulated where the true gap is exactly the margin, with 2 to 12 labels, 50 to 1,000 rows and differences on 1 to 12 %
of them, also where one rare label bears them all: a one-sided 95 % claim about macro F1 or mean recall passes falsely
in 5 % of the samples at most, and hardly ever where a label has a handful of rows, of which such a mean knows little.
The plain BCa bootstrap passes macro F1 in 8 to 14 %; for mean recall with rare labels even the percentile interval with
one added unit of any kind passed in 16 to 41 %, which is why the added unit is the one of the largest weight. The price
is power: at 300 rows and a gap of 0 such a claim passes in 81 instead of 92 % of the samples, at 2,000 rows in 99
instead of 100.

Metrics of counts get the percentile interval, because the bias that BCa would correct is the one that the added units
bring in. Of other metrics (log loss, token F1) a claim on 100 units passes falsely in 6 to 9 %, from 300 on in 5 to 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.estimates import Estimates, Resampled, nothing, together
from evalkit.quality.metrics.metric import FloatArray, IntArray, Summed
from evalkit.quality.metrics.unseen_units import (
    ADDED,
    FEWEST_DIFFERING,
    between,
    exchanged,
    extremes,
    one_more,
    too_alike,
)
from evalkit.stats.bootstrap import CLUSTER_METHOD, METHOD
from evalkit.stats.interval import Estimate
from evalkit.stats.resampling import resamples

MOST_UNITS = 20_000
"""More units than this are first put at random into as many blocks: sums of blocks have the spread that sums of
units have, known to 1 %, at a cost that no longer grows with the rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedSums:
    """``terms`` [cells, 2k]: what a unit of each cell adds to the teacher's k sums and to the student's;
    ``cell_of`` [units]: the cell of each unit, a row or, in ranking, a query."""

    metric: Summed
    terms: FloatArray
    cell_of: IntArray

    def estimates(
        self, units: IntArray, clusters: IntArray | None, level: float, rng: np.random.Generator, replicates: int
    ) -> Estimates:
        """Gap and both values over ``units`` [m]; ``clusters`` [m] says which of them belong together."""
        if len(units) == 0:
            return nothing("there are no rows", n=0, n_needed=1)
        drawn = self._drawn(units, clusters, rng)
        points, left_out = self._values(drawn.total), self._values(drawn.total - drawn.added)
        sums = np.concatenate([weights @ drawn.added for weights in resamples(drawn.often, replicates, rng)])
        own = Resampled(metric=self.metric, level=level, n=drawn.n, method=drawn.method)
        teacher, student = own.of_models(points[1:], self._values(sums)[1:], left_out[1:], drawn.often)
        of_gap = Resampled(metric=self.metric, level=level, n=drawn.n, method=f"{drawn.method} {ADDED}")
        if self.metric.losses is None:
            gap = self._gap_of_scores(of_gap, drawn, float(points[0]), sums, left_out[0], rng)
        else:
            gap = self._gap_of_counts(of_gap, drawn, float(points[0]), sums, self.metric.losses, rng)
        return Estimates(gap=gap, teacher=teacher, student=student)

    def _drawn(self, units: IntArray, clusters: IntArray | None, rng: np.random.Generator) -> _Drawn:
        cells = self.cell_of[units]
        method = METHOD if clusters is None else CLUSTER_METHOD
        belongs = None if clusters is None else np.unique(clusters, return_inverse=True)[1]
        n = len(units) if belongs is None else int(belongs.max()) + 1
        size = len(units) / n
        often = np.bincount(cells, minlength=len(self.terms))
        drawn = np.count_nonzero(often) if belongs is None else n
        if min(n, int(drawn)) > MOST_UNITS:
            block = rng.permutation(n) % MOST_UNITS
            belongs = block if belongs is None else block[belongs]
            method = f"{method} of {MOST_UNITS:,} random blocks"
        if belongs is None:
            return _Drawn(added=self.terms[often > 0], often=often[often > 0], n=n, size=size, method=method)
        held = csr_array((np.ones(len(cells)), (belongs, cells)), shape=(int(belongs.max()) + 1, len(self.terms)))
        added = np.asarray(held @ self.terms)
        return _Drawn(added=added, often=np.ones(len(added), dtype=np.int64), n=n, size=size, method=method)

    def _gap_of_counts(
        self,
        resampled: Resampled,
        drawn: _Drawn,
        point: float,
        sums: FloatArray,
        losses: Callable[[FloatArray], FloatArray],
        rng: np.random.Generator,
    ) -> Estimate:
        lost = losses(drawn.total[: len(drawn.total) // 2]) * drawn.size
        known = np.vstack([lost, drawn.differing()[0]])
        candidates = np.vstack([known, exchanged(known)])
        lowering, raising = extremes(candidates, self._values(drawn.total + candidates)[0] - point)
        # Each bound has its own resamples, so that the same counts serve both.
        often = rng.poisson(1.0, (len(sums), 1))
        with_loss, with_gain = (
            resampled.percentile(point, self._values(sums + often * unit)[0]) for unit in (lowering, raising)
        )
        return between(with_loss, with_gain)

    def _gap_of_scores(
        self,
        resampled: Resampled,
        drawn: _Drawn,
        point: float,
        sums: FloatArray,
        left_out: FloatArray,
        rng: np.random.Generator,
    ) -> Estimate:
        units, often = drawn.differing()
        count = int(often.sum())
        if math.isfinite(point) and count < FEWEST_DIFFERING:
            return too_alike(count, drawn.n)
        for each in (units, exchanged(units)):
            sums = sums + one_more(each, often, len(sums), rng)
        return resampled.bca(point, self._values(sums)[0], left_out, drawn.often)

    def _values(self, sums: FloatArray) -> FloatArray:
        half = sums.shape[-1] // 2
        teacher, student = sums[..., :half], sums[..., half:]
        return together(self.metric.finish(teacher), self.metric.finish(student))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """What is drawn: cells, clusters or blocks, with what each adds [m, 2k] and how many there are of it [m];
    ``n`` counts rows, queries or clusters, and ``size`` is how many rows one of them has on average."""

    added: FloatArray
    often: IntArray
    n: int
    size: float
    method: str

    @property
    def total(self) -> FloatArray:
        return np.asarray(self.often @ self.added, dtype=np.float64)

    def differing(self) -> tuple[FloatArray, IntArray]:
        """Those on which teacher and student differ, and how many there are of each."""
        teacher, student = np.split(self.added, 2, axis=1)
        differ = (teacher != student).any(axis=1)
        return self.added[differ], self.often[differ]


def paired_sums(metric: Summed, teacher: Answered, student: Answered) -> PairedSums:
    """The metric's terms of both models, taken once for all parts of the rows."""
    if metric.cells is None:
        terms = np.hstack([metric.terms(teacher), metric.terms(student)])
        return PairedSums(metric=metric, terms=terms, cell_of=np.arange(len(terms)))
    numbers = metric.cells(student)
    pairs = metric.cells(teacher) * (int(numbers.max(initial=0)) + 1) + numbers
    _, first, cell_of = np.unique(pairs, return_index=True, return_inverse=True)
    terms = np.hstack([metric.terms(each.take(first)) for each in (teacher, student)])
    return PairedSums(metric=metric, terms=terms, cell_of=cell_of)
