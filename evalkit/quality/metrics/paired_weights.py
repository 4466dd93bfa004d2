"""Paired bootstrap of a metric that is a function of row weights, for any part of the rows.

The bounds of the gap allow for one more loss and one more gain than were seen (see ``unseen_units``): of the units on
which the models differ, as they are and with what the models gave exchanged, the one that moves the gap furthest. What
it moves the gap by is taken over all rows once, and added to a resample as often as the unit is in it. That is exact
to first order, and simulated the bounds differ by less than 2 % of their distance from the point from those of a metric
computed anew with the added rows, at less than half of the cost.

Simulated where the true gap of AUC is exactly the margin, on 60 to 500 rows: a one-sided 95 % claim passes falsely in
1 to 2 % of the samples where all scores differ, and in 0 to 5 % where the student turns the scores of 3 to 5 % of the
rows round (the plain BCa bootstrap: 3 to 6 %, and 4 to 16 %, most where one label is rare). The price is power: the
lower bound lies 20 to 30 % further from the point where all scores differ, and of the samples with some scores turned
round 30 to 80 % have no gap, since fewer than 5 rows carry it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from evalkit.quality.metrics.answered import Answered
from evalkit.quality.metrics.estimates import Estimates, Resampled, nothing, together
from evalkit.quality.metrics.metric import FloatArray, IntArray, Weighted
from evalkit.quality.metrics.unseen_units import ADDED, FEWEST_DIFFERING, between, too_alike
from evalkit.stats.bca import carrying_units
from evalkit.stats.bootstrap import CLUSTER_METHOD, METHOD
from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.resampling import BLOCK_BYTES, resamples

JACKKNIFE_GROUPS = 200

CANDIDATES = 100
"""So many of the differing units are tried for the one that moves the gap furthest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedWeights:
    """A metric that is computed anew from the weights of the rows, with both models' answers."""

    metric: Weighted
    teacher: Answered
    student: Answered

    def estimates(
        self, units: IntArray, clusters: IntArray | None, level: float, rng: np.random.Generator, replicates: int
    ) -> Estimates:
        """Gap and both values over the rows ``units`` [m]; ``clusters`` [m] says which of them belong together.

        The acceleration comes from a delete-a-group jackknife: units fall at random into ``JACKKNIFE_GROUPS`` groups.
        """
        if len(units) == 0:
            return nothing("there are no rows", n=0, n_needed=1)
        belongs = np.arange(len(units)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        pair = _Pair(
            metric=self.metric, teacher=self.teacher.take(units), student=self.student.take(units), belongs=belongs
        )
        values = pair.values()
        points = values(np.ones((1, len(units))))[:, 0]
        if not np.isfinite(points).any():
            return nothing(self.metric.undefined, n=pair.n)
        left_out = _evaluated(values, pair.without(rng.permutation(pair.n) % min(JACKKNIFE_GROUPS, pair.n)))
        drawn = _evaluated(values, _row_weights(pair.n, belongs, replicates, rng))
        method = METHOD if clusters is None else CLUSTER_METHOD
        own = Resampled(metric=self.metric, level=level, n=pair.n, method=method)
        teacher, student = own.of_models(points[1:], drawn[1:], left_out[1:])
        of_gap = replace(own, method=f"{method} {ADDED}")
        gap = _gap(of_gap, pair, float(points[0]), drawn[0], carrying_units(left_out[0]), rng)
        return Estimates(gap=gap, teacher=teacher, student=student)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """Both models' answers to the same rows, and the unit (row or cluster) of each row [m], numbered from 0."""

    metric: Weighted
    teacher: Answered
    student: Answered
    belongs: IntArray

    @property
    def n(self) -> int:
        return int(self.belongs.max()) + 1

    def values(self) -> Callable[[FloatArray], FloatArray]:
        """Gap, teacher and student [3, B] from weights of the rows [B, m]."""
        of_teacher, of_student = (self.metric.prepare(each) for each in (self.teacher, self.student))

        def values(weights: FloatArray) -> FloatArray:
            return together(of_teacher(weights), of_student(weights))

        return values

    def without(self, group: IntArray) -> Iterator[FloatArray]:
        """Weights of the rows without each group of units in turn; ``group`` [units] numbers them, −1 is in none."""
        of_row = group[self.belongs]
        for each in range(int(group.max()) + 1):
            yield (of_row != each)[np.newaxis] * 1.0

    def differing(self) -> IntArray:
        """The units with a row on which the metric may tell the models apart."""
        return np.unique(self.belongs[self.metric.differ(self.teacher, self.student)])

    def moved(self, units: IntArray, point: float) -> FloatArray:
        """By how much one more of each unit [u] moves the gap: as it is, and then with what the models gave exchanged,
        [2u]."""
        rows = np.flatnonzero(np.isin(self.belongs, units))
        with_exchanged = replace(
            self,
            teacher=_followed_by(self.teacher, self.student, rows),
            student=_followed_by(self.student, self.teacher, rows),
        )
        owner = np.concatenate([self.belongs, self.belongs[rows] + self.n])
        once = np.concatenate([np.ones(len(self.belongs)), np.zeros(len(rows))])
        weights = ((once + (owner == each))[np.newaxis] for each in np.concatenate([units, units + self.n]))
        gaps: FloatArray = _evaluated(with_exchanged.values(), weights)[0]
        return gaps - point


def _gap(
    resampled: Resampled, pair: _Pair, point: float, drawn: FloatArray, carrying: float, rng: np.random.Generator
) -> Estimate:
    if not math.isfinite(point):
        return NotEstimable(reason=pair.metric.undefined, n=pair.n)
    differing = pair.differing()
    if len(differing) < FEWEST_DIFFERING:
        return too_alike(len(differing), pair.n)
    moved = pair.moved(_weightiest(pair, differing, point, rng), point)
    if not np.isfinite(moved).any():
        return NotEstimable(reason=f"with any row once more: {pair.metric.undefined}", n=pair.n)
    often = rng.poisson(1.0, len(drawn))
    with_loss, with_gain = (
        resampled.percentile(point, drawn + often * by, carrying) for by in (np.nanmin(moved), np.nanmax(moved))
    )
    return between(with_loss, with_gain)


def _weightiest(pair: _Pair, units: IntArray, point: float, rng: np.random.Generator) -> IntArray:
    """At most ``CANDIDATES`` of the units, those in the random groups that move the gap most when they are left out,
    and of these again; so that the few rows of a rare label are found among many."""
    values = pair.values()
    while len(units) > CANDIDATES:
        shuffled = rng.permutation(units)
        group = np.full(pair.n, -1)
        group[shuffled] = np.arange(len(units)) % CANDIDATES
        moved = np.abs(_evaluated(values, pair.without(group))[0] - point)
        heaviest = np.argsort(np.where(np.isnan(moved), np.inf, moved))[-CANDIDATES // 20 :]
        units = np.flatnonzero(np.isin(group, heaviest))
    return units


def _followed_by(own: Answered, other: Answered, rows: IntArray) -> Answered:
    """``own``'s answers, and after them ``other``'s to ``rows`` [m]; probabilities that only one of them gave stay its
    own."""
    added = None if own.probabilities is None else (own if other.probabilities is None else other).probabilities
    return replace(
        own,
        truth=np.concatenate([own.truth, own.truth[rows]]),
        predicted=np.concatenate([own.predicted, other.predicted[rows]]),
        probabilities=None if added is None else np.concatenate([own.probabilities, added[rows]]),
    )


def _evaluated(values: Callable[[FloatArray], FloatArray], weights: Iterable[FloatArray]) -> FloatArray:
    """The values [3, B] of weights that come in blocks."""
    return np.concatenate([values(block) for block in weights], axis=1)


def _row_weights(n: int, belongs: IntArray, replicates: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Blocks of row weights, [B, rows], ``replicates`` in all: as often as the unit of each row is drawn."""
    rows = max(1, BLOCK_BYTES // (8 * len(belongs)))
    for weights in resamples(np.ones(n, dtype=np.int64), replicates, rng):
        for first in range(0, len(weights), rows):
            yield weights[first : first + rows, belongs]
