"""The smallest change of one claim's margin that would change the outcome."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.evidence import Claim, claim_of
from evalkit.decision.family import cells_of, counts_of, reach_towards_bar, times_reach
from evalkit.decision.outcome import Outcome
from evalkit.decision.requirement import ROWS, TEACHER_ACCURACY, Direction, Requirement
from evalkit.decision.standing import Standing
from evalkit.decision.use_of_margin import margin_of
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.retention import tang_bounds

MOST_TRIED = 20
HALVINGS = 60
STEPS_BEYOND = (1e-9, 1e-6, 1e-3)
"""By how much of the margin the search goes beyond where the outcome should change, the least first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginChange:
    """With ``to_bound`` in the place of ``from_bound``, and all else as it is, the outcome would be ``outcome``.
    ``share`` is the change ÷ the margin: one scale for quality, latency and cost."""

    measurement: str
    subpopulation: str
    from_bound: float
    to_bound: float
    share: float
    outcome: Outcome
    units: str = ROWS


class _Way(IntEnum):
    """Which way a bar is moved."""

    TIGHTER = 1
    LOOSER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The bound of one claim beyond which the outcome should change, and its sign on the bound's own axis."""

    index: int
    bound: float
    sign: int
    share: float


def smallest_margin_change(standing: Standing) -> MarginChange | None:
    """The change that is smallest as a share of its own margin; None where no change of one margin is enough.

    Where each claim turns follows from its interval in closed form. The claims are then tried from the nearest on,
    and the bound of the first that does it is found by bisection on the outcome itself, Holm included.
    """
    targets = sorted(_targets(standing), key=lambda target: target.share)
    for target in itertools.islice(targets, MOST_TRIED):
        change = _confirmed(standing, target)
        if change is not None:
            return change
    return None


def _targets(standing: Standing) -> Iterator[_Target]:
    match standing.outcome:
        case Outcome.GO:
            yield from _to_the_tested_end(standing, standing.required, _Way.TIGHTER)
            yield from _to_where_it_breaks(standing, standing.merged, _Way.TIGHTER)
        case Outcome.NO_GO:
            enough = [int(index) for index in np.flatnonzero(standing.is_enough)]
            yield from _to_where_it_breaks(standing, enough if len(enough) == 1 else [], _Way.LOOSER)
        case Outcome.INCONCLUSIVE:
            still_open = [int(index) for index in np.flatnonzero(~standing.lets_go)]
            is_only_one = len(still_open) == 1 and not standing.is_barred
            yield from _to_the_tested_end(standing, still_open if is_only_one else [], _Way.LOOSER)
            yield from _to_where_it_breaks(standing, range(len(standing.claims)), _Way.TIGHTER)


def _to_the_tested_end(standing: Standing, indices: Iterable[int], way: _Way) -> Iterator[_Target]:
    """A claim passes as long as its bound lies short of the interval's end."""
    for index in indices:
        claim = standing.claims[index]
        if claim.bounds is not None:
            is_above = claim.requirement.direction is Direction.ABOVE
            yield from _target(claim, index, claim.bounds.lower if is_above else claim.bounds.upper, way)


def _to_where_it_breaks(standing: Standing, indices: Iterable[int], way: _Way) -> Iterator[_Target]:
    """A claim is enough for a NO-GO once its p-value is at most α ÷ the number of claims."""
    if not standing.claims:
        return
    error = standing.error / len(standing.claims)
    chosen = [(index, standing.claims[index]) for index in indices]
    for belongs, bounds_of in (
        (_is_gap, _broken_gaps),
        (_is_retention, _broken_retentions),
        (_is_read, _broken_others),
    ):
        own = [(index, claim) for index, claim in chosen if belongs(claim)]
        if own:
            for (index, claim), bound in zip(own, bounds_of([claim for _, claim in own], error), strict=True):
                yield from _target(claim, index, bound, way)


def _target(claim: Claim, index: int, bound: float, way: _Way) -> Iterator[_Target]:
    allowed = margin_of(claim.requirement)
    if allowed is not None and np.isfinite(bound) and _can_be_stated(claim.requirement, bound):
        axis = 1 if claim.requirement.direction is Direction.ABOVE else -1
        share = abs(bound - claim.requirement.bound) / allowed
        yield _Target(index=index, bound=bound, sign=axis * way, share=share)


def _is_gap(claim: Claim) -> bool:
    return claim.requirement.measurement == GAP and counts_of(claim) is not None


def _is_retention(claim: Claim) -> bool:
    return claim.requirement.measurement == RETENTION and counts_of(claim) is not None


def _is_read(claim: Claim) -> bool:
    return counts_of(claim) is None and claim.bounds is not None


def _broken_gaps(claims: Sequence[Claim], error: float) -> list[float]:
    cells = _cells(claims)
    bounds: list[float] = tango_bounds(cells[1], cells[2], cells.sum(axis=0), 1.0 - 2.0 * error)[1].tolist()
    return bounds


def _broken_retentions(claims: Sequence[Claim], error: float) -> list[float]:
    cells = _cells(claims)
    bounds: list[float] = tang_bounds(cells[0], cells[1], cells[2], 1.0 - 2.0 * error)[1].tolist()
    return bounds


def _broken_others(claims: Sequence[Claim], error: float) -> list[float]:
    values = [value for claim in claims if (value := claim.bounds) is not None]
    found = []
    for claim, value, times in zip(claims, values, times_reach(values, error), strict=True):
        reach = reach_towards_bar(value, claim.requirement.direction)
        axis = 1.0 if claim.requirement.direction is Direction.ABOVE else -1.0
        found.append(value.point + axis * reach * max(1.0, float(times)))
    return found


def _cells(claims: Sequence[Claim]) -> NDArray[np.float64]:
    return cells_of([counts for claim in claims if (counts := counts_of(claim)) is not None])


def _confirmed(standing: Standing, target: _Target) -> MarginChange | None:
    claim, before = standing.claims[target.index], standing.outcome
    outcome = standing.but_for(target.index)
    allowed = margin_of(claim.requirement) or 0.0

    def outcome_at(bound: float) -> Outcome:
        moved = dataclasses.replace(claim.requirement, bound=bound)
        return outcome(claim_of(moved, claim.measurement, standing.confidence))

    for step in STEPS_BEYOND:
        short, beyond = (target.bound + side * target.sign * step * allowed for side in (-1, 1))
        if not _can_be_stated(claim.requirement, beyond):
            return None
        if outcome_at(beyond) is not before:
            is_between = target.sign * (short - claim.requirement.bound) > 0
            near = short if is_between and outcome_at(short) is before else claim.requirement.bound
            to_bound = _turning(lambda bound: outcome_at(bound) is not before, near, beyond)
            return MarginChange(
                measurement=claim.requirement.measurement,
                subpopulation=claim.requirement.subpopulation,
                from_bound=claim.requirement.bound,
                to_bound=to_bound,
                share=abs(to_bound - claim.requirement.bound) / allowed,
                outcome=outcome_at(to_bound),
                units=claim.requirement.units,
            )
    return None


def _turning(is_changed: Callable[[float], bool], unchanged: float, changed: float) -> float:
    """The bound nearest to ``unchanged`` at which the outcome has changed."""
    for _ in range(HALVINGS):
        middle = (unchanged + changed) / 2.0
        if middle in (unchanged, changed):
            break
        unchanged, changed = (unchanged, middle) if is_changed(middle) else (middle, changed)
    return changed


def _can_be_stated(claim: Requirement, bound: float) -> bool:
    """Whether a spec could hold this bound: a margin stays above 0, and a share below 1."""
    if bound * claim.bound <= 0:
        return False
    return abs(bound) < 1.0 if claim.measurement in (GAP, TEACHER_ACCURACY) else True
