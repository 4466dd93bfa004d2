"""The fewest answers of the student that would have had to come out otherwise to change the outcome."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from evalkit.decision.evidence import Claim, claim_of
from evalkit.decision.family import cells_of, counts_of, score
from evalkit.decision.outcome import Outcome
from evalkit.decision.requirement import ROWS
from evalkit.decision.standing import Standing
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention

MOST_TRIED = 20
BOTH, STUDENT_ONLY, TEACHER_ONLY, NEITHER = range(4)
Move = tuple[int, int]
LOST: tuple[Move, Move] = ((BOTH, TEACHER_ONLY), (STUDENT_ONLY, NEITHER))
GAINED: tuple[Move, Move] = ((TEACHER_ONLY, BOTH), (NEITHER, STUDENT_ONLY))
TEACHER_RIGHT = (LOST[0], GAINED[0])
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFlips:
    """Had the student's answer been ``student_is`` on ``rows`` of the ``of_rows`` that one claim counts, where it was
    not, the outcome would be ``outcome``. On ``teacher_right`` of them the teacher is right: the choice of rows that
    takes the fewest."""

    measurement: str
    subpopulation: str
    student_is: Literal["right", "wrong"]
    rows: int
    teacher_right: int
    of_rows: int
    outcome: Outcome
    units: str = ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flip:
    """Flips of one claim's rows: the first move as far as it goes, then the second."""

    index: int
    rows: int
    moves: tuple[Move, Move]


def fewest_row_flips(standing: Standing) -> RowFlips | None:
    """The fewest flips on the rows of one claim, all other claims held fixed; None where no flips of one claim's rows
    are enough, or none of the claims that could is counted in rows.

    Both orders of taking rows (those that the teacher gets right first, or last) are searched by bisection on the
    score statistics of Tango and Tang, for all claims at once; the result is then read off the outcome itself.
    """
    flips = sorted(_flips(standing), key=lambda flip: flip.rows)
    for flip in itertools.islice(flips, MOST_TRIED):
        found = _confirmed(standing, flip)
        if found is not None:
            return found
    return None


def _flips(standing: Standing) -> Iterator[_Flip]:
    match standing.outcome:
        case Outcome.GO:
            yield from _search(standing, standing.required, LOST, _no_longer_inside)
            yield from _search(standing, standing.merged, LOST, _broken)
        case Outcome.NO_GO:
            enough = [int(index) for index in np.flatnonzero(standing.is_enough)]
            yield from _search(standing, enough if len(enough) == 1 else [], GAINED, _no_longer_broken)
        case Outcome.INCONCLUSIVE:
            still_open = [int(index) for index in np.flatnonzero(~standing.lets_go)]
            if len(still_open) == 1 and not standing.is_barred:
                yield from _search(standing, still_open, GAINED, _inside)
            yield from _search(standing, range(len(standing.claims)), LOST, _broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """A claim that is tested by counts of rows."""

    index: int
    claim: Claim
    value: Interval
    counts: PairedCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """What the score statistics [k] are compared with: the normal quantiles [k] of the intervals' levels, and the
    error at which a claim is enough for a NO-GO."""

    quantiles: FloatArray
    error: float


Turns = Callable[[FloatArray, _Bar], NDArray[np.bool_]]


def _inside(scores: FloatArray, bar: _Bar) -> NDArray[np.bool_]:
    return np.asarray(scores > bar.quantiles)


def _no_longer_inside(scores: FloatArray, bar: _Bar) -> NDArray[np.bool_]:
    return np.asarray(scores <= bar.quantiles)


def _broken(scores: FloatArray, bar: _Bar) -> NDArray[np.bool_]:
    return np.asarray(ndtr(scores) <= bar.error)


def _no_longer_broken(scores: FloatArray, bar: _Bar) -> NDArray[np.bool_]:
    return np.asarray(ndtr(scores) > bar.error)


def _search(standing: Standing, indices: Sequence[int], moves: tuple[Move, Move], turns: Turns) -> Iterator[_Flip]:
    for name in (GAP, RETENTION):
        own = [
            _Counted(index=index, claim=claim, value=value, counts=counts)
            for index in indices
            if (claim := standing.claims[index]).requirement.measurement == name
            and (value := claim.bounds) is not None
            and (counts := counts_of(claim)) is not None
        ]
        if own:
            yield from _search_among(name, own, moves, turns, standing.error / len(standing.claims))


def _search_among(
    name: str, own: Sequence[_Counted], moves: tuple[Move, Move], turns: Turns, error: float
) -> Iterator[_Flip]:
    bounds = np.array([each.claim.requirement.bound for each in own])
    levels = np.array([each.value.level for each in own])
    bar = _Bar(quantiles=np.asarray(ndtri((1.0 + levels) / 2.0)), error=error)
    cells = cells_of([each.counts for each in own])
    for order in (moves, (moves[1], moves[0])):
        fewest = _fewest(cells, order, lambda moved: turns(score(name, moved, bounds), bar))
        for each, rows in zip(own, fewest, strict=True):
            if rows > 0:
                yield _Flip(index=each.index, rows=int(rows), moves=order)


def _fewest(
    cells: FloatArray, moves: tuple[Move, Move], is_turned: Callable[[FloatArray], NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """The fewest rows [k] to move until ``is_turned``, by bisection; 0 where it is so already, or never."""
    most = (cells[moves[0][0]] + cells[moves[1][0]]).astype(np.int64)
    lower, upper = np.zeros_like(most), most
    possible = is_turned(_moved(cells, moves, most)) & ~is_turned(cells)
    while np.any(upper - lower > 1):
        middle = np.maximum((lower + upper) // 2, 1)
        turned = is_turned(_moved(cells, moves, np.minimum(middle, most)))
        lower, upper = np.where(turned, lower, middle), np.where(turned, middle, upper)
    return np.where(possible, upper, 0)


def _moved(cells: FloatArray, moves: tuple[Move, Move], rows: NDArray[np.int64]) -> FloatArray:
    first = np.minimum(rows, cells[moves[0][0]])
    moved = cells.copy()
    for (source, to), taken in zip(moves, (first, rows - first), strict=True):
        moved[source] -= taken
        moved[to] += taken
    return moved


def _confirmed(standing: Standing, flip: _Flip) -> RowFlips | None:
    claim, before = standing.claims[flip.index], standing.outcome
    counts = counts_of(claim)
    assert counts is not None
    moved = _moved(cells_of([counts]), flip.moves, np.array([flip.rows]))[:, 0]
    outcome = standing.but_for(flip.index)(_with_cells(claim, moved, standing.confidence))
    if outcome is before:
        return None
    taken = min(flip.rows, int(cells_of([counts])[flip.moves[0][0], 0]))
    return RowFlips(
        measurement=claim.requirement.measurement,
        subpopulation=claim.requirement.subpopulation,
        student_is="wrong" if set(flip.moves) == set(LOST) else "right",
        rows=flip.rows,
        teacher_right=taken if flip.moves[0] in TEACHER_RIGHT else flip.rows - taken,
        of_rows=counts.n,
        outcome=outcome,
        units=claim.requirement.units,
    )


def _with_cells(claim: Claim, cells: FloatArray, confidence: float) -> Claim:
    """The claim as it would be measured with these counts."""
    assert claim.measurement is not None
    assert claim.bounds is not None
    counts = PairedCounts(
        both=int(cells[BOTH]),
        student_only=int(cells[STUDENT_ONLY]),
        teacher_only=int(cells[TEACHER_ONLY]),
        neither=int(cells[NEITHER]),
    )
    estimate = difference if claim.requirement.measurement == GAP else retention
    value = estimate(counts, claim.bounds.level)
    return claim_of(claim.requirement, dataclasses.replace(claim.measurement, value=value, counts=counts), confidence)
