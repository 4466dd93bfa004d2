"""What a search found, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalkit.stats.interval import Estimate
from loadtest.capacity.cliff import Cliff
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.trial import Trial


class StoppedBecause(StrEnum):
    """Why the search asked for no further trial.

    ``precise``: the interval is as narrow as was asked. ``out_of_time``: the time is used up. ``never_good``: no rate
    keeps the limit. ``generator_limit``: every rate that the generator can send keeps it. ``void``: a trial was void
    twice.
    """

    PRECISE = "precise"
    OUT_OF_TIME = "out_of_time"
    NEVER_GOOD = "never_good"
    GENERATOR_LIMIT = "generator_limit"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityResult:
    """The highest rate of Poisson arrivals at which p99 keeps the limit.

    ``rate`` is where the share of requests over the limit passes 1 %. ``certified_rps`` is the highest rate that was
    tried whose own requests pass the certificate at ``plan.confidence``, with no lower rate that is certainly over;
    None where there is none. ``cliff`` is there where p99 jumps just above the capacity. ``seconds`` is all time used.
    """

    plan: SearchPlan
    rate: Estimate
    certified_rps: float | None
    trials: tuple[Trial, ...]
    cliff: Cliff | None
    stopped_because: StoppedBecause
    explanation: str
    seconds: float
