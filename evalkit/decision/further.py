"""How much more evidence an open claim needs."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.stats import norm

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.evidence import CERTAIN, Claim
from evalkit.decision.family import counts_of
from evalkit.decision.identity import AGREEMENT
from evalkit.decision.requirement import Direction, Requirement
from evalkit.quality.discovery.discovered import FOUND
from evalkit.quality.paired_gap import RETENTION
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.sample_size import MOST_FURTHER_ROWS, further_rows, further_rows_retention

POWER = 0.8
MOST_FURTHER = 1e9


def further_needed(claim: Claim, confidence: float, divisor: int = 1) -> int | None:
    """Units to add, in ``counted_in``, that decide an open claim with 80 % chance if what was observed is true.

    Inside the bar they show that the claim holds, at ``confidence`` and on no fewer rows than its group needs; beyond
    it they show that it is broken, for which Holm divides the error by ``divisor``. By exact enumeration for a gap on
    counted rows. None where no feasible number would, or where the evidence at hand must first be estimated otherwise.
    """
    return _of_all_rows(claim, _further(claim, confidence, divisor, further_rows))


def further_by_approximation(claim: Claim, confidence: float, divisor: int = 1) -> int | None:
    """The same with the normal approximation for a gap on counted rows, at once."""
    return _of_all_rows(claim, _further(claim, confidence, divisor, _rows_by_approximation))


def _of_all_rows(claim: Claim, further: int | None) -> int | None:
    """A discovered subpopulation is judged on the half of the rows that confirms it: of new rows, too, every other."""
    is_found = claim.requirement.subpopulation.startswith(FOUND)
    return 2 * further if is_found and further is not None else further


def _further(
    claim: Claim, confidence: float, divisor: int, rows: Callable[[PairedCounts, float, float], int | None]
) -> int | None:
    value, short = None if claim.measurement is None else claim.measurement.value, claim.requirement.rows_short
    if isinstance(value, NotEstimable):
        return None if value.n_needed is None else max(1, short, value.n_needed - value.n)
    if value is None or claim.unusable:
        return None
    if _is_beyond(claim.requirement, value):
        return _of_interval(claim, value, 1.0 - (1.0 - confidence) / divisor, rows)
    further = _of_interval(claim, value, confidence, rows)
    return None if further is None else max(short, further)


def _of_interval(
    claim: Claim, value: Interval, asked: float, rows: Callable[[PairedCounts, float, float], int | None]
) -> int | None:
    counts, bound = counts_of(claim), claim.requirement.bound
    if counts is not None and claim.requirement.measurement == RETENTION:
        return further_rows_retention(counts, bound, asked)
    if counts is not None and bound < 0:
        return rows(counts, -bound, asked)
    return further_by_width(value, bound, asked)


def _rows_by_approximation(counts: PairedCounts, margin: float, confidence: float) -> int | None:
    """N ≈ (z_α + z_β)² (ψ − Δ²) / (margin + Δ)², less the rows that are there."""
    gained, lost, n = counts.student_only, counts.teacher_only, counts.n
    difference, discordance = (gained - lost) / n, (gained + lost) / n
    if gained + lost == 0 or difference == -margin:
        return further_rows(counts, margin, confidence)
    z = float(norm.ppf(confidence) + norm.ppf(POWER))
    needed = z**2 * (discordance - difference**2) / (difference + margin) ** 2 - n
    return None if needed > MOST_FURTHER_ROWS else max(1, math.ceil(needed))


def _is_beyond(claim: Requirement, value: Interval) -> bool:
    return value.point < claim.bound if claim.direction is Direction.ABOVE else value.point > claim.bound


def further_by_width(value: Interval, bound: float, confidence: float, power: float = POWER) -> int | None:
    """Units to add until a new estimate shows on which side of ``bound`` the truth lies, with probability ``power``.

    The point is taken for the truth, and the side of the interval that faces the bound, which is z(level) standard
    errors wide, shrinks as 1/√n: (z(confidence) + z(power)) standard errors must fit before the bound. Never below
    1. None where the point sits at the bound, at level 1, and above 10⁹ units.
    """
    side = value.point - value.lower if value.point > bound else value.upper - value.point
    distance = abs(value.point - bound)
    if not (0 < value.level < CERTAIN and distance > 0 and math.isfinite(side)):
        return None
    errors = float(norm.ppf(confidence) + norm.ppf(power)) * side / float(norm.ppf((1.0 + value.level) / 2.0))
    if errors >= distance * math.sqrt(MOST_FURTHER):
        return None
    needed = value.n * ((errors / distance) ** 2 - 1.0)
    return None if needed > MOST_FURTHER else max(1, math.ceil(needed))


def counted_in(claim: Requirement) -> str:
    """In which units more evidence for a claim is gathered."""
    if claim.is_quality or claim.measurement == AGREEMENT:
        return claim.units
    return "seconds of saturated load" if claim.measurement == REDUCTION else "requests"
