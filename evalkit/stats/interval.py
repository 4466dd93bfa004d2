"""What an estimate is: an interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided interval for one quantity.

    ``level`` is the two-sided confidence; a bound of a 0.90 interval is a one-sided 0.95 bound.
    ``n`` counts the independent units behind it (rows, requests); ``method`` names the estimator.
    """

    point: float
    lower: float
    upper: float
    level: float
    n: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEstimable:
    """Missing evidence. It is never written as 0, NaN or an interval of no width.

    ``n`` is what was there, ``n_needed`` what an estimate would need, where that is known.
    """

    reason: str
    n: int
    n_needed: int | None = None


Estimate = Interval | NotEstimable
