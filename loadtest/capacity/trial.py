"""One trial at one rate: what was counted, and on which side of the objective it lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy.stats import binom

from evalkit.stats.quantiles import certificate_passes
from loadtest.capacity.plan import ALLOWED_SHARE, QUANTILE


class Side(StrEnum):
    """``under``: the certificate passes. ``over``: a share above 1 % is certain at the same confidence. ``unclear``:
    neither. ``void``: nothing was measured."""

    UNDER = "under"
    OVER = "over"
    UNCLEAR = "unclear"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a measuring callback counted at one rate, warm-up left out.

    A failed or refused request counts as over the limit. ``blocks`` are equal parts of the trial's time, each with
    its requests and those over the limit. ``generator_late`` says that the void reasons are the generator's own:
    it could not send at this rate. ``wall_s`` is all the time that the trial took.
    """

    blocks: tuple[tuple[int, int], ...]
    failed: int
    p99_ms: float | None
    wall_s: float
    void_reasons: tuple[str, ...] = ()
    generator_late: bool = False

    @property
    def requests(self) -> int:
        return sum(requests for requests, _ in self.blocks)

    @property
    def over_limit(self) -> int:
        return sum(over for _, over in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One trial as it is to be measured: ``seconds`` at ``rate_rps`` after ``warmup_s`` that do not count."""

    number: int
    step: str
    rate_rps: float
    seconds: float
    warmup_s: float
    seed: int


Measure = Callable[[Asked], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial of a search. ``asked.step`` is the part of the search that asked for it."""

    asked: Asked
    side: Side
    measured: Measured

    @property
    def rate_rps(self) -> float:
        return self.asked.rate_rps

    @property
    def share_over(self) -> float:
        """Requests over the limit ÷ requests; there is at least one."""
        return self.measured.over_limit / self.measured.requests


def side_of(requests: int, over_limit: int, confidence: float) -> Side:
    """Which side of the objective the counts show, each at one-sided ``confidence`` of the exact binomial test.

    Latencies of neighbouring requests in one queue are alike, so the test is surer than it should be: the search
    uses it to find its way, and estimates the capacity from blocks of time.

    >>> side_of(299, 0, 0.95).value, side_of(299, 3, 0.95).value, side_of(299, 9, 0.95).value
    ('under', 'unclear', 'over')
    """
    if certificate_passes(requests, over_limit, QUANTILE, confidence):
        return Side.UNDER
    if float(binom.sf(over_limit - 1, requests, ALLOWED_SHARE)) <= 1 - confidence:
        return Side.OVER
    return Side.UNCLEAR


def pooled_side(trials: Sequence[Trial], confidence: float) -> Side:
    """The side that several trials at one rate show together."""
    counted = [trial.measured for trial in trials]
    return side_of(sum(each.requests for each in counted), sum(each.over_limit for each in counted), confidence)
