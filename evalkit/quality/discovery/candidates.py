"""Slices that overlap are one find: which of them to send to confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.discovery.scores import EvidenceScore, FloatArray
from evalkit.quality.discovery.search import Conditions, Slice, best_slices

MOST_SLICES = 200
MOST_CANDIDATES = 20
MOST_ROUNDS = 5
ALIKE = 0.5
"""Jaccard index of two sets of rows above which they are one find."""
NEW = 2.0
"""Standard errors by which rows must lose more than those outside to be worth testing."""
SHARPER = 3.0
"""Standard errors by which a part of a find must lose more than the rest of it to be a find of its own: of some hundred
parts the worst is two or three off by chance."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which conjunctions are searched: at least ``min_rows``, at most ``max_columns``, none across columns that are
    ``apart``."""

    min_rows: int
    max_columns: int
    apart: frozenset[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Find:
    """A slice's conditions, and whether each row is ``inside`` it [n]."""

    conditions: Conditions
    inside: BoolArray


def candidates(codes: NDArray[np.int32], loss: FloatArray, limits: Limits) -> tuple[Slice, ...]:
    """At most 20 different slices in which the mean of ``loss`` [n] is higher, the clearest first.

    From the 200 clearest slices each is taken that says something new; where those are all about the same rows, the
    search is made again without the rows taken so far, at most five times in all.
    """
    taken: list[_Find] = []
    for _ in range(MOST_ROUNDS):
        before = len(taken)
        covered = _covered(taken, len(loss))
        found = _clear(codes, loss, ~covered, limits)
        for each in found:
            simplest = _simplest(each, found, loss)
            if len(taken) < MOST_CANDIDATES and _is_new(simplest, taken, loss):
                taken.append(simplest)
        if len(taken) in (before, MOST_CANDIDATES) or len(found) < MOST_SLICES:
            break
    return tuple(_as_slice(each, loss) for each in taken)


def rows_of(codes: NDArray[np.int32], conditions: Conditions) -> BoolArray:
    """Whether each row meets all ``conditions``, [n]."""
    inside = np.ones(len(codes), dtype=np.bool_)
    for column, code in conditions:
        inside &= codes[:, column] == code
    return inside


def _clear(codes: NDArray[np.int32], loss: FloatArray, among: BoolArray, limits: Limits) -> list[_Find]:
    """The clearest slices of the rows ``among`` which the loss is looked at, at least two standard errors off."""
    own = loss[among]
    if not len(own) or own.min() == own.max():
        return []
    found = best_slices(
        codes[among],
        own,
        EvidenceScore.of(own),
        min_rows=limits.min_rows,
        max_columns=limits.max_columns,
        most=MOST_SLICES,
        apart=limits.apart,
    )
    clear = [each.conditions for each in found if each.score >= NEW]
    return [_Find(conditions=conditions, inside=rows_of(codes, conditions)) for conditions in clear]


def _simplest(each: _Find, found: Sequence[_Find], loss: FloatArray) -> _Find:
    """The slice with the fewest conditions that holds ``each`` and whose other rows lose about as much, or itself."""
    conditions = set(each.conditions)
    wider = [
        other
        for other in found
        if set(other.conditions) < conditions
        and _standard_errors(loss, each.inside, other.inside & ~each.inside) < SHARPER
    ]
    return min([*wider, each], key=lambda other: len(other.conditions))


def _is_new(each: _Find, taken: Sequence[_Find], loss: FloatArray) -> bool:
    """Whether a slice is not much the same rows as one already taken, and either its rows outside all of those lose
    more than all rows outside them, or it is the sharper part of one."""
    if any(_jaccard(each, other) > ALIKE for other in taken):
        return False
    covered = _covered(taken, len(loss))
    own = each.inside & ~covered
    if own.any():
        return _evidence(loss, own, ~covered) >= NEW
    around = [other.inside & ~each.inside for other in taken if not (each.inside & ~other.inside).any()]
    return bool(around) and min(_standard_errors(loss, each.inside, rest) for rest in around) >= SHARPER


def _covered(taken: Sequence[_Find], n: int) -> BoolArray:
    covered = np.zeros(n, dtype=np.bool_)
    for each in taken:
        covered |= each.inside
    return covered


def _jaccard(first: _Find, second: _Find) -> float:
    return float((first.inside & second.inside).sum() / (first.inside | second.inside).sum())


def _as_slice(each: _Find, loss: FloatArray) -> Slice:
    own = loss[each.inside]
    score = _evidence(loss, each.inside, np.ones(len(loss), dtype=np.bool_))
    return Slice(conditions=each.conditions, rows=len(own), mean_loss=float(own.mean()), score=score)


def _evidence(loss: FloatArray, inside: BoolArray, among: BoolArray) -> float:
    """The score by which slices are searched, of the rows ``inside`` in the rows ``among`` which they are looked at."""
    own = loss[among]
    if own.min() == own.max():
        return 0.0
    rows, total = np.array([inside.sum()], dtype=np.float64), np.array([loss[inside].sum()])
    return float(EvidenceScore.of(own)(rows, total)[0])


def _standard_errors(loss: FloatArray, first: BoolArray, second: BoolArray) -> float:
    """By how many standard errors the first rows lose more than the second, 0 where there are none; one unlike row
    is added to either side, so that few rows that are all alike do not count as certain."""
    if not first.any() or not second.any():
        return 0.0
    one, other = loss[first], loss[second]
    variance = sum((part.var() + 1.0 / len(part)) / len(part) for part in (one, other))
    return float((one.mean() - other.mean()) / np.sqrt(variance))
