"""What a metric is: a function of sums over the rows, or of weights on the rows. Nothing else is resampled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.quality.metrics.answered import Answered

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SHARE = "share of rows"

SHARES = (0.0, 1.0)
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a reader needs to know of a metric. ``undefined`` says why it has no value where it has none,
    ``package`` which optional package it needs, ``range`` the lowest and the highest value that it can have: a margin
    as wide as that asks for nothing, see ``refuse_idle_margin``."""

    name: str
    meaning: str
    unit: str
    higher_is_better: bool
    range: tuple[float, float] = UNBOUNDED
    undefined: str = "there are no rows"
    needs_probabilities: bool = False
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed(Described):
    """``terms`` gives what each unit (a row; a query in ranking) adds to k sums, [units, k]; ``finish`` makes the
    value of the sums, [..., k] → [...], NaN where it is undefined.

    ``cells``, where given, numbers the rows [n] so that rows of one number have the same terms: then the bootstrap
    draws cells, and its cost does not grow with the rows. ``losses`` goes with it: from one model's sums [k] to terms
    of units that may not have been seen, the teacher's beside the student's [q, 2k], on which the teacher is right
    and the student wrong. ``hits``, where given, says that the metric is the share of rows for which it is true, [n]:
    then the paired difference needs no bootstrap.
    """

    terms: Callable[[Answered], FloatArray]
    finish: Callable[[FloatArray], FloatArray]
    cells: Callable[[Answered], IntArray] | None = None
    losses: Callable[[FloatArray], FloatArray] | None = None
    hits: Callable[[Answered], BoolArray] | None = None

    def value(self, answered: Answered) -> float:
        """The metric over all rows; NaN where it is undefined. Raises DataError without the probabilities it needs."""
        return float(self.finish(self.terms(answered).sum(axis=0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Described):
    """For what is no function of sums. ``prepare`` does once what no resample changes (sorting, say) and gives the
    metric as a function of row weights, [B, n] whole numbers → [B], NaN where it is undefined. ``differ`` says on
    which rows [n] two models' answers differ in anything that it looks at."""

    prepare: Callable[[Answered], Callable[[FloatArray], FloatArray]]
    differ: Callable[[Answered, Answered], BoolArray]

    def value(self, answered: Answered) -> float:
        """The metric over all rows; NaN where it is undefined. Raises DataError without the probabilities it needs."""
        return float(self.prepare(answered)(np.ones((1, len(answered))))[0])


Metric = Summed | Weighted


def share(
    name: str, meaning: str, hits: Callable[[Answered], BoolArray], *, needs_probabilities: bool = False
) -> Summed:
    """The metric that is the share of rows for which ``hits`` is true."""
    return Summed(
        name=name,
        meaning=meaning,
        unit=SHARE,
        higher_is_better=True,
        range=SHARES,
        needs_probabilities=needs_probabilities,
        terms=lambda answered: with_ones(hits(answered).astype(np.float64)),
        finish=mean,
        hits=hits,
    )


def with_ones(values: FloatArray) -> FloatArray:
    """Terms of a mean: each value [n] and a 1 that counts it, [n, 2]."""
    return np.stack([values, np.ones(len(values))], axis=1)


def mean(sums: FloatArray) -> FloatArray:
    """Sums of ``with_ones`` to the mean, [..., 2] → [...]."""
    return ratio(sums[..., 0], sums[..., 1])


def ratio(above: ArrayLike, below: ArrayLike) -> FloatArray:
    """``above`` ÷ ``below``, NaN where ``below`` is 0."""
    over, under = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    quotient: FloatArray = np.divide(over, under, out=np.full(under.shape, np.nan), where=under != 0)
    return quotient


def mean_where(values: FloatArray, counts: NDArray[np.bool_]) -> FloatArray:
    """Mean over the last axis of the values that count, [..., L] → [...]; NaN where none does."""
    return ratio(np.where(counts, values, 0.0).sum(axis=-1), counts.sum(axis=-1))
