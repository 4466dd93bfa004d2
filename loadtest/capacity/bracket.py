"""An exponential search for one rate that keeps the limit and a higher one that does not."""

from __future__ import annotations

import math

from loadtest.capacity.result import StoppedBecause
from loadtest.capacity.session import Session, Stopped
from loadtest.capacity.trial import Side

UP, DOWN = 2.0, 4.0
AT_THE_CEILING = 1.1
STEP = "bracket"


def find_bracket(session: Session) -> None:
    """Doubles the rate while the limit is kept, and divides it by four until it is.

    A rate at which only the generator fails is a ceiling: rates between it and the highest good one are tried until
    they are within 10 % of each other. Raises Stopped where there is no such pair of rates.
    """
    plan = session.plan
    rate, good, over, ceiling = plan.start_rps, 0.0, math.inf, math.inf
    while not (good and over < math.inf):
        match session.which_side(STEP, rate):
            case Side.UNDER:
                good = rate
            case Side.VOID:
                ceiling = rate
            case _:
                over = rate
        if good and over == math.inf:
            rate = _higher(session, good, ceiling)
        elif not good:
            rate = _lower(session, rate)


def _higher(session: Session, good: float, ceiling: float) -> float:
    most = session.plan.max_rps
    if ceiling == math.inf:
        if good < most:
            return min(UP * good, most)
        raise Stopped(
            StoppedBecause.GENERATOR_LIMIT,
            f"p99 keeps the limit at {good:.4g} requests a second, the highest rate that was allowed",
        )
    if ceiling > AT_THE_CEILING * good:
        return math.sqrt(good * ceiling)
    raise Stopped(
        StoppedBecause.GENERATOR_LIMIT,
        f"p99 keeps the limit at {good:.4g} requests a second, and at {ceiling:.4g} the generator itself falls behind: "
        f"{_reasons(session)} Use more generators, or more cores",
    )


def _lower(session: Session, rate: float) -> float:
    lowest = session.plan.lowest_rps
    if rate > lowest:
        return max(rate / DOWN, lowest)
    last = session.trials[-1]
    if last.side is Side.VOID:
        raise Stopped(
            StoppedBecause.GENERATOR_LIMIT,
            f"the generator falls behind even at {rate:.4g} requests a second: {_reasons(session)}",
        )
    p99 = "unknown" if last.measured.p99_ms is None else f"{last.measured.p99_ms:.4g} ms"
    raise Stopped(
        StoppedBecause.NEVER_GOOD,
        f"no rate keeps the limit: even at {rate:.4g} requests a second {last.share_over:.1%} of the requests "
        f"exceed {session.plan.limit_ms:g} ms or fail (p99 {p99}; {last.measured.failed} of {last.measured.requests} "
        "failed)",
    )


def _reasons(session: Session) -> str:
    return " ".join(next(trial for trial in reversed(session.trials) if trial.side is Side.VOID).measured.void_reasons)
