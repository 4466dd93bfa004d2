"""How the gap between student and teacher falls with the training rows, and at how many it reaches a bar.

The students of all sizes answer the same rows, so the points of a curve are correlated: their whole covariance weighs
the fit (``evalkit.stats.power_law``) and is what the points are drawn again from. Each draw is fitted anew; the rows
needed are read off each fitted curve, and the interval are percentiles of them, ∞ among them where a curve never
comes down to the bar. At three trainings a size or more, the draws also vary by training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.curve_points import CurvePoints
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.power_law import PowerLaws, fit_power_laws
from evalkit.stats.preconditions import require_fraction

DRAWS = 2000
HORIZON = 100
"""Times the rows at hand: nothing is said beyond."""
FAR = 10
"""Times the rows at hand from which on an extrapolation is warned of."""
MISFIT = 0.01
"""Where points as far off the best curve are rarer than this, they do not lie on such a curve."""
FEWEST_SIZES = 3
"""A power law with an asymptote has three unknowns."""
BAND_POINTS = 60

FloatArray = NDArray[np.float64]


class Answer(StrEnum):
    """What the curve says of the bar, by the ends of intervals: with the rows at hand it is met; more rows within the
    horizon reach it; none do; it takes some rows at least, and perhaps no number is enough; nothing is known."""

    MET = "met"
    REACHED = "more rows reach it"
    NEVER = "not by more rows alone"
    OPEN = "perhaps by more rows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePoint:
    """A size of the training set in ``rows``, and the gap of the students trained on it. ``fitted`` says whether the
    curve goes through it."""

    rows: int
    gap: Interval
    fitted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BandPoint:
    """The fitted gap at ``rows``, with the percentiles of the draws."""

    rows: int
    point: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsNeeded:
    """Training rows at which the gap comes to the bar.

    ``point`` is the fitted curve's; each number is None where it lies beyond the ``horizon``, or nowhere, and none is
    below the smallest size. ``never`` is the share of the
    draws whose curve stays on the wrong side of the bar however many rows it gets.
    """

    point: int | None
    lower: int | None
    upper: int | None
    level: float
    horizon: int
    never: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReading:
    """What the points say. ``per_doubling`` is the change of the gap with twice the rows, by a straight line in
    log(rows); ``misfit_p`` the chance of points that lie as far off the best curve where such a curve is the truth.
    Where too few sizes could be fitted, there is neither a curve nor an asymptote."""

    points: tuple[SizePoint, ...]
    band: tuple[BandPoint, ...]
    per_doubling: Interval
    asymptote: Interval | None
    misfit_p: float | None
    answer: Answer
    needed: RowsNeeded | NotEstimable
    needed_to_show: RowsNeeded | None = None
    """The same for the stricter gap at which the bar can be shown to be met."""


def read_curve(
    points: CurvePoints,
    bar: float,
    teacher_accuracy: float,
    level: float,
    rng: np.random.Generator,
    learnt: NDArray[np.bool_] | None = None,
    shown_from: float | None = None,
    draws: int = DRAWS,
) -> CurveReading:
    """Reads the curve against ``bar``, the lowest gap that is allowed (−margin); intervals at two-sided ``level``.

    ``shown_from`` is the gap that it takes to show that the bar is met, where that is known.
    ``teacher_accuracy`` bounds the asymptote: no student is right on more than all rows. ``learnt`` [sizes] are those
    at which the students have learnt anything, all of them if not given: before that no curve falls by a power of the
    rows (the small-data region of Hestness et al. 2017), so that smaller sizes are shown and not fitted.
    """
    require_fraction("level", level)
    fitted_sizes = _from_first(np.ones(len(points.rows), dtype=np.bool_) if learnt is None else learnt)
    gaps = tuple(
        SizePoint(rows=int(n), gap=points.gap(at, level), fitted=bool(fitted_sizes[at]))
        for at, n in enumerate(points.rows)
    )
    used = points.of(fitted_sizes) if fitted_sizes.sum() >= FEWEST_SIZES else None
    per_doubling = (used or points).per_doubling(level)
    if used is None:
        return _unfitted(gaps, per_doubling, bar, int(fitted_sizes.sum()), points)
    floor = teacher_accuracy - 1.0
    fitted = fit_power_laws(used.rows, -used.gaps[np.newaxis], used.covariance, floor)
    drawn = fit_power_laws(used.rows, -(used.gaps + used.noise(draws, rng)), used.covariance, floor)
    misfit_p = _misfit_p(used, fitted, floor, draws, rng)
    rows_needed = _rows_needed(fitted, drawn, bar, level, used)
    answer, needed = _answer(gaps[-1], bar, per_doubling, misfit_p, rows_needed, used)
    return CurveReading(
        points=gaps,
        band=_band(fitted, drawn, used, level, needed),
        per_doubling=per_doubling,
        asymptote=_percentiles(-fitted.asymptote[0], -drawn.asymptote, level, used, "asymptote"),
        misfit_p=misfit_p,
        answer=answer,
        needed=needed,
        needed_to_show=None
        if shown_from is None or isinstance(needed, NotEstimable)
        else _rows_needed(fitted, drawn, shown_from, level, used),
    )


def withdrawn(reading: CurveReading, reason: str) -> CurveReading:
    """The same points without an answer, for a reason that they do not show themselves."""
    unknown = NotEstimable(reason=reason, n=reading.per_doubling.n)
    return replace(reading, answer=Answer.UNKNOWN, needed=unknown, needed_to_show=None)


def _from_first(learnt: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From the first size on that has learnt: a larger one that seems not to have is no reason to leave it out.

    >>> _from_first(np.array([False, True, False, True])).tolist()
    [False, True, True, True]
    """
    return np.logical_or.accumulate(learnt)


def _unfitted(
    gaps: tuple[SizePoint, ...], per_doubling: Interval, bar: float, fitted: int, points: CurvePoints
) -> CurveReading:
    reason = (
        f"a power law needs {FEWEST_SIZES} sizes at which the student is shown to answer better than the commonest "
        f"label would, and there are {fitted}; give larger sizes, or train longer"
    )
    return CurveReading(
        points=gaps,
        band=(),
        per_doubling=per_doubling,
        asymptote=None,
        misfit_p=None,
        answer=_met_or(gaps[-1], bar, Answer.UNKNOWN),
        needed=NotEstimable(reason=reason, n=points.units),
    )


def _misfit_p(points: CurvePoints, fitted: PowerLaws, floor: float, draws: int, rng: np.random.Generator) -> float:
    """Parametric bootstrap of the misfit: the bounds make its distribution none that a table has."""
    expected = fitted.harm(points.rows.astype(np.float64))
    again = fit_power_laws(points.rows, expected + points.noise(draws, rng), points.covariance, floor)
    return float((1 + (again.misfit >= fitted.misfit[0]).sum()) / (1 + draws))


def _rows_needed(fitted: PowerLaws, drawn: PowerLaws, bar: float, level: float, points: CurvePoints) -> RowsNeeded:
    smallest, largest = int(points.rows[0]), int(points.rows[-1])
    horizon = HORIZON * largest
    rows = drawn.rows_at(-bar)
    lower, upper = (float(np.sort(rows)[at]) for at in _ranks(len(rows), level))
    point = float(fitted.rows_at(-bar)[0])

    def within(value: float) -> int | None:
        return None if value > horizon else max(smallest, int(np.ceil(value)))

    return RowsNeeded(
        point=within(point),
        lower=within(lower),
        upper=within(upper),
        level=level,
        horizon=horizon,
        never=float(np.isinf(rows).mean()),
        method=points.method,
    )


def _ranks(draws: int, level: float) -> tuple[int, int]:
    """Positions of the percentiles among the sorted draws: order statistics, since ∞ cannot be averaged with."""
    tail = (1 - level) / 2
    return int(np.floor(tail * (draws - 1))), int(np.ceil((1 - tail) * (draws - 1)))


def _answer(
    largest: SizePoint,
    bar: float,
    per_doubling: Interval,
    misfit_p: float,
    needed: RowsNeeded,
    points: CurvePoints,
) -> tuple[Answer, RowsNeeded | NotEstimable]:
    if misfit_p < MISFIT:
        reason = (
            f"the points do not lie on a falling power law (p {misfit_p:.2g}): the student's training varies more than "
            "the rows do, or the curve has another shape; train more seeds, or leave out the smallest size"
        )
        return _met_or(largest, bar, Answer.UNKNOWN), NotEstimable(reason=reason, n=points.units)
    if largest.gap.lower >= bar:
        return Answer.MET, needed
    if per_doubling.lower <= 0:
        reason = (
            f"more rows are not shown to help: twice the rows change the gap by {_points(per_doubling.lower)} to "
            f"{_points(per_doubling.upper)} points"
        )
        return Answer.UNKNOWN, NotEstimable(reason=reason, n=points.units)
    if needed.upper is None and needed.lower is not None and needed.lower <= points.rows[0]:
        reason = "the interval reaches from the smallest size to beyond what may be extrapolated to"
        return Answer.UNKNOWN, NotEstimable(reason=reason, n=points.units)
    if needed.upper is not None:
        return Answer.REACHED, needed
    return (Answer.NEVER if needed.lower is None else Answer.OPEN), needed


def _points(share: float) -> str:
    return f"{100 * share:+.2f}".replace("-", "−")


def _met_or(largest: SizePoint, bar: float, otherwise: Answer) -> Answer:
    return Answer.MET if largest.gap.lower >= bar else otherwise


def _band(
    fitted: PowerLaws, drawn: PowerLaws, points: CurvePoints, level: float, needed: RowsNeeded | NotEstimable
) -> tuple[BandPoint, ...]:
    """The curve from the smallest size to twice the farthest finite end of the interval, at least FAR times the rows
    at hand. It crosses the bar where the interval of the rows needed ends: the curves all fall."""
    smallest, largest = points.rows[0], points.rows[-1]
    ends = [] if isinstance(needed, NotEstimable) else [needed.point or 0, needed.lower or 0, needed.upper or 0]
    farthest = min(HORIZON * largest, max(FAR * largest, *(2 * each for each in ends), 0))
    rows = np.unique(np.geomspace(smallest, farthest, BAND_POINTS).round())
    ordered = np.sort(-drawn.harm(rows), axis=0)
    lower, upper = (ordered[at] for at in _ranks(len(ordered), level))
    middle = -fitted.harm(rows)[0]
    return tuple(
        BandPoint(rows=int(n), point=float(mid), lower=float(low), upper=float(high))
        for n, mid, low, high in zip(rows, middle, lower, upper, strict=True)
    )


def _percentiles(point: float, drawn: FloatArray, level: float, points: CurvePoints, what: str) -> Interval:
    ordered = np.sort(drawn)
    lower, upper = (float(ordered[at]) for at in _ranks(len(ordered), level))
    return Interval(
        point=float(point),
        lower=lower,
        upper=upper,
        level=level,
        n=points.units,
        method=f"{what} of a power law, percentiles of {len(drawn):,} draws; {points.method}",
    )
