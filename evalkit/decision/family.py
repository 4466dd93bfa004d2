"""Which claims are shown to be broken: Holm over every claim that a NO-GO may rest on.

"Some claim is broken" is said falsely with probability at most α = 1 − confidence, however many claims there are.
The family is fixed by the spec: every required claim belongs to it, and every claim of a group that was merged into
another; one that was not measured counts with a p-value of 1.

Where rows are paired, the p-value is that of the score test on the four counts (Tango 1998 for a gap, Tang 2003
for retention). Where only an interval is known (a metric, a latency, a cost), it is read off the interval, as in
Altman and Bland (2011), "How to obtain the P value from a confidence interval", BMJ 343, d2304, with Student's t in
the place of the normal: the distance of the bar from the point, in units of the distance of the interval's end, is
looked up in a t with n − 1 degrees of freedom that is scaled so that the end itself has exactly the interval's
one-sided error. That is exact for the mean of n normal values, close for bootstrap intervals, and cautious where few
units stand behind an interval. For the order statistics of a latency it is rough: on requests in clumps it may be
several times too small. But an end that does not lie beyond the bar always gives a p-value of 1, so that no claim
fails more often than at its own level, and one latency claim adds at most α to what the others err.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

from evalkit.decision.evidence import Claim
from evalkit.decision.requirement import Direction, Requirement
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import tango_z
from evalkit.stats.retention import tang_z

FloatArray = NDArray[np.float64]


def counts_of(claim: Claim) -> PairedCounts | None:
    """The paired counts by which a claim is tested, where it is one that counts can test."""
    requirement, measured = claim.requirement, claim.measurement
    if claim.interval is None or measured is None or measured.counts is None or measured.counts.n == 0:
        return None
    if requirement.direction is Direction.BELOW:
        return None
    if requirement.measurement == GAP:
        return measured.counts if -1.0 < requirement.bound < 1.0 else None
    if requirement.measurement == RETENTION and requirement.bound > 0:
        return measured.counts if measured.counts.teacher_right else None
    return None


def score(measurement: str, cells: FloatArray, bounds: FloatArray) -> FloatArray:
    """The score statistic of ``bounds`` [k] for ``cells`` [4, k] (both, student only, teacher only, neither): large
    where the evidence says "above the bound"."""
    if measurement == GAP:
        return tango_z(cells[1], cells[2], cells.sum(axis=0), bounds)
    return tang_z(cells[0], cells[1], cells[2], bounds)


def p_broken(claims: Sequence[Claim]) -> FloatArray:
    """One-sided p-values [n] of "the claim holds" against "it is broken"; 1 where nothing speaks against it."""
    p_values = np.ones(len(claims))
    for name in (GAP, RETENTION):
        _fill_from_counts(p_values, claims, name)
    _fill_from_intervals(p_values, claims)
    return p_values


def holm_divisors(p_values: FloatArray) -> NDArray[np.int64]:
    """By how many α is divided where each p-value [n] has its turn: n for the smallest, 1 for the largest."""
    divisors = np.empty(p_values.size, dtype=np.int64)
    divisors[np.argsort(p_values, kind="stable")] = np.arange(p_values.size, 0, -1)
    return divisors


def broken_of(p_values: FloatArray, family: NDArray[np.bool_], confidence: float) -> NDArray[np.bool_]:
    """Which claims [n] are shown to be broken. One outside the ``family`` is tested alone: it decides nothing."""
    adjusted = p_values.copy()
    adjusted[family] = holm(p_values[family])
    return np.asarray(adjusted <= 1.0 - confidence)


def _fill_from_counts(p_values: FloatArray, claims: Sequence[Claim], name: str) -> None:
    tested = [
        (index, counts, claim.requirement.bound)
        for index, claim in enumerate(claims)
        if claim.requirement.measurement == name and (counts := counts_of(claim)) is not None
    ]
    if not tested:
        return
    which = [index for index, _, _ in tested]
    cells = cells_of([counts for _, counts, _ in tested])
    p_values[which] = ndtr(score(name, cells, np.array([bound for _, _, bound in tested])))


def cells_of(counts: Sequence[PairedCounts]) -> FloatArray:
    """The four counts of each, [4, k]."""
    return np.array([(each.both, each.student_only, each.teacher_only, each.neither) for each in counts], float).T


def _fill_from_intervals(p_values: FloatArray, claims: Sequence[Claim]) -> None:
    tested = [
        (index, value, claim.requirement)
        for index, claim in enumerate(claims)
        if (value := claim.bounds) is not None and counts_of(claim) is None and _is_beyond(claim.requirement, value)
    ]
    if not tested:
        return
    values = [value for _, value, _ in tested]
    distance = np.array([abs(claim.bound - value.point) for _, value, claim in tested], dtype=np.float64)
    reach = np.array([reach_towards_bar(value, claim.direction) for _, value, claim in tested], dtype=np.float64)
    p_values[[index for index, _, _ in tested]] = _p_beyond(values, reach, distance)


def _is_beyond(claim: Requirement, value: Interval) -> bool:
    return value.upper < claim.bound if claim.direction is Direction.ABOVE else value.lower > claim.bound


def reach_towards_bar(value: Interval, direction: Direction) -> float:
    """How far the end that must lie beyond the bar is from the point; not above 0 where the point lies outside."""
    return value.upper - value.point if direction is Direction.ABOVE else value.point - value.lower


def _p_beyond(values: Sequence[Interval], reach: FloatArray, distance: FloatArray) -> FloatArray:
    error = np.array([(1.0 - value.level) / 2.0 for value in values])
    freedom = _freedom(values)
    with np.errstate(over="ignore"):  # a bar that is infinitely many times as far has a p-value of 0
        times = np.divide(distance, reach, out=np.ones_like(distance), where=reach > 0)
    at_the_end = stdtrit(freedom, np.where(error > 0, error, 0.25))
    looked_up = stdtr(freedom, at_the_end * np.maximum(times, 1.0))
    return np.where(error > 0, np.minimum(looked_up, error), 0.0)


def times_reach(values: Sequence[Interval], error: float) -> FloatArray:
    """How many times farther than the interval's end the bar must lie for a p-value of ``error``, [k]."""
    own = np.array([(1.0 - value.level) / 2.0 for value in values])
    freedom = _freedom(values)
    return np.asarray(stdtrit(freedom, error) / np.where(own > 0, stdtrit(freedom, own), -np.inf))


def _freedom(values: Sequence[Interval]) -> FloatArray:
    return np.array([max(1, value.n - 1) for value in values], dtype=np.float64)
