"""The search for the capacity: bracket, bisect, then repeat around the best guess until it is sure enough.

It knows nothing of servers: a callback measures a trial. The same code runs against simulated queues.
"""

from __future__ import annotations

import math
from itertools import cycle

import numpy as np

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from loadtest.capacity.bracket import find_bracket
from loadtest.capacity.cliff import cliff_of
from loadtest.capacity.fit import FloatArray, bracket_of, crossing_rps
from loadtest.capacity.interval import capacity_interval
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import CapacityResult, StoppedBecause
from loadtest.capacity.session import Observer, Session, Stopped, void_twice
from loadtest.capacity.trial import Measure, Side, Trial, pooled_side

CLOSE = 1.25
"""Bisection ends when the rates on both sides of the capacity are this factor apart or less."""
OFFSETS = (0.95, 1.05, None)
"""Where the repetitions lie, as parts of the best guess: on both sides, so that the fit has a slope to cross 1 % on.
None is halfway between the rates that enclose it, which finds the edge of a cliff."""
FEWEST_REPETITIONS = 6
QUICK_REPLICATES, REPLICATES = 200, 2000


def search(plan: SearchPlan, measure: Measure, observe: Observer | None = None) -> CapacityResult:
    """Finds the highest Poisson rate at which p99 keeps the limit.

    Exponential bracket from ``plan.start_rps``, bisection, then long trials just below, just above and at the current
    estimate, each with another seed. ``observe`` is told of each trial. Deterministic where ``measure`` is.
    """
    session = Session(plan, measure, observe or _nobody)
    try:
        find_bracket(session)
        _bisect(session)
        _repeat(session)
        because, explanation = StoppedBecause.PRECISE, f"the interval is within {plan.precision:.0%} of the capacity"
    except Stopped as stopped:
        because, explanation = stopped.because, stopped.explanation
    rate = _estimate(session, because, explanation)
    return CapacityResult(
        plan=plan,
        rate=rate,
        certified_rps=certified_rps(session.valid, plan.confidence),
        trials=tuple(session.trials),
        cliff=cliff_of(session.valid, rate.point) if isinstance(rate, Interval) else None,
        stopped_because=because,
        explanation=explanation,
        seconds=session.spent_s,
    )


def certified_rps(trials: list[Trial], confidence: float) -> float | None:
    """The highest tried rate whose pooled requests pass the certificate, below every rate that is certainly over."""
    highest = None
    for rate in sorted({trial.rate_rps for trial in trials}):
        side = pooled_side([trial for trial in trials if trial.rate_rps == rate], confidence)
        if side is Side.OVER:
            break
        if side is Side.UNDER:
            highest = rate
    return highest


def _bisect(session: Session) -> None:
    while True:
        match bracket_of(*_counts(session.valid)):
            case float(lower), float(upper) if upper <= CLOSE * lower:
                return
            case float(lower), float(upper):
                rate = math.sqrt(lower * upper)
            # One side is missing where a long trial contradicted the short one before it.
            case float(lower), None:
                rate = min(lower * CLOSE, session.plan.max_rps)
            case _, upper:
                assert upper is not None
                rate = upper / CLOSE
        _on_time(session.which_side("bisection", rate), session)


def _repeat(session: Session) -> None:
    """Raises Stopped when the time is used up; returns when the interval is narrow enough."""
    rng = np.random.default_rng(session.plan.seed)
    for done, offset in enumerate(cycle(OFFSETS)):
        counts = _counts(session.valid)
        lower, upper = bracket_of(*counts)
        if lower is None or upper is None:
            rate = crossing_rps(*counts) * (1 / CLOSE if lower is None else CLOSE)
        elif done >= FEWEST_REPETITIONS and _is_precise(session, rng):
            return
        else:
            rate = math.sqrt(lower * upper) if offset is None else crossing_rps(*counts) * offset
        rate = min(rate, session.plan.max_rps)
        trial = session.run("repetition", rate, session.plan.long_s(rate))
        _on_time(trial.side, session)


def _is_precise(session: Session, rng: np.random.Generator) -> bool:
    found = capacity_interval(session.valid, session.plan.level, rng, QUICK_REPLICATES)
    if not isinstance(found, Interval):
        return False
    return max(found.upper - found.point, found.point - found.lower) <= session.plan.precision * found.point


def _estimate(session: Session, because: StoppedBecause, explanation: str) -> Estimate:
    """No number where nothing brackets the capacity, or where too few trials lie near it to say how sure it is."""
    n = len(session.valid)
    if because not in (StoppedBecause.PRECISE, StoppedBecause.OUT_OF_TIME):
        return NotEstimable(reason=explanation, n=n)
    if n and None not in bracket_of(*_counts(session.valid)):
        return capacity_interval(
            session.valid, session.plan.level, np.random.default_rng(session.plan.seed), REPLICATES
        )
    return NotEstimable(reason=f"{explanation} before the capacity was bracketed; give more time", n=n)


def _on_time(side: Side, session: Session) -> None:
    """A generator that fell behind at a rate it could send before was disturbed: the search is void."""
    if side is Side.VOID:
        raise void_twice(session.trials[-1])


def _counts(trials: list[Trial]) -> tuple[FloatArray, FloatArray, FloatArray]:
    ordered = sorted(trials, key=lambda trial: trial.rate_rps)
    rates = np.array([trial.rate_rps for trial in ordered])
    requests = np.array([trial.measured.requests for trial in ordered], dtype=np.float64)
    return rates, requests, np.array([trial.measured.over_limit for trial in ordered], dtype=np.float64)


def _nobody(_: Trial) -> None:
    pass
