"""The Pareto front of quality, latency and cost: who is beaten in everything, and whether that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalkit.stats.interval import Estimate, Interval


class Front(StrEnum):
    """Where a candidate stands. ``BEATEN`` needs evidence on every objective; point estimates alone are not that."""

    ON = "on the front"
    NOT_SHOWN = "beaten, not shown"
    BEATEN = "beaten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """``accuracy`` as observed, the more the better; ``prices`` are all that is better when it is less (latency, cost,
    size), by objective. An interval of level 1 is known for certain."""

    name: str
    accuracy: float
    prices: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """``by`` names who beats it: with evidence where it is BEATEN, by point estimates where it is NOT_SHOWN."""

    front: Front
    by: tuple[str, ...] = ()


def objectives_of(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The prices that somebody was measured at and that can tell candidates apart: one that is certain and the same
    for all of them is left out."""
    names = dict.fromkeys(name for each in candidates for name in each.prices)
    return tuple(name for name in names if not _says_nothing([each.prices.get(name) for each in candidates]))


def places(candidates: Sequence[Candidate], differences: Mapping[tuple[int, int], Estimate]) -> tuple[Place, ...]:
    """One place a candidate. ``differences`` [one, other] are accuracies of one less other, at a level that is good
    for all pairs together.

    One beats another by point estimates where it is at least as good in every objective that both were measured at,
    and better in one. It is shown to where its accuracy is higher by the lower end of the paired difference and every
    price is lower interval against interval (or certain, and no higher): an intersection–union test over objectives.
    """
    objectives = objectives_of(candidates)
    return tuple(_place(index, candidates, differences, objectives) for index in range(len(candidates)))


def _place(
    index: int,
    candidates: Sequence[Candidate],
    differences: Mapping[tuple[int, int], Estimate],
    objectives: Sequence[str],
) -> Place:
    this = candidates[index]
    beaten_by = [at for at, each in enumerate(candidates) if at != index and _beats(each, this, objectives)]
    shown_by = [
        at for at in beaten_by if _is_surely_more(differences[at, index]) and _cheaper(candidates[at], this, objectives)
    ]
    if shown_by:
        return Place(front=Front.BEATEN, by=tuple(candidates[at].name for at in shown_by))
    if beaten_by:
        return Place(front=Front.NOT_SHOWN, by=tuple(candidates[at].name for at in beaten_by))
    return Place(front=Front.ON)


def _beats(one: Candidate, other: Candidate, objectives: Sequence[str]) -> bool:
    gains = [one.accuracy - other.accuracy]
    for name in objectives:
        mine, its = one.prices.get(name), other.prices.get(name)
        if isinstance(mine, Interval) and isinstance(its, Interval):
            gains.append(its.point - mine.point)
    return min(gains) >= 0 and max(gains) > 0


def _cheaper(one: Candidate, other: Candidate, objectives: Sequence[str]) -> bool:
    return all(_is_surely_less(one.prices.get(name), other.prices.get(name)) for name in objectives)


def _is_surely_less(one: Estimate | None, other: Estimate | None) -> bool:
    if not isinstance(one, Interval) or not isinstance(other, Interval):
        return False
    return one.upper < other.lower or (_is_certain(one) and _is_certain(other) and one.point <= other.point)


def _is_surely_more(difference: Estimate) -> bool:
    return isinstance(difference, Interval) and difference.lower > 0


def _is_certain(value: Interval) -> bool:
    return value.level == 1.0


def _says_nothing(values: Sequence[Estimate | None]) -> bool:
    known = [each for each in values if isinstance(each, Interval)]
    if not known:
        return True
    return len(known) == len(values) and all(_is_certain(each) and each.point == known[0].point for each in known)
