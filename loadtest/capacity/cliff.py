"""Whether the server falls off a cliff just above its capacity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.capacity.trial import Trial

STEEP = 3.0
"""p99 of one queue rises by about half where the rate rises by a tenth, at 80 % load; three times is no queue alone."""
NEIGHBOURS = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cliff:
    """Two neighbouring rates between which p99 rises more than ``STEEP`` times."""

    below_rps: float
    above_rps: float
    p99_below_ms: float
    p99_above_ms: float


def cliff_of(trials: Sequence[Trial], capacity_rps: float) -> Cliff | None:
    """The steepest rise of p99 across the capacity between rates at most a factor ``NEIGHBOURS`` apart, where it is
    more than ``STEEP`` times. Of several trials on one side the median p99 counts, so that one bad trial is no cliff.
    """
    measured = [(trial.rate_rps, trial.measured.p99_ms) for trial in trials if trial.measured.p99_ms is not None]
    reach = NEIGHBOURS**0.5
    below = [(rate, p99) for rate, p99 in measured if capacity_rps / reach <= rate <= capacity_rps]
    above = [(rate, p99) for rate, p99 in measured if capacity_rps < rate <= capacity_rps * reach]
    if not below or not above:
        return None
    low, high = (sorted(side, key=lambda each: each[1])[len(side) // 2] for side in (below, above))
    if high[1] <= STEEP * low[1]:
        return None
    return Cliff(below_rps=low[0], above_rps=high[0], p99_below_ms=low[1], p99_above_ms=high[1])
