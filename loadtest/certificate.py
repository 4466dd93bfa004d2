"""Whether a run shows "p99 ≤ limit", after the early-stopping rule of MLPerf LoadGen.

LoadGen (mlcommons/inference, loadgen/early_stopping.cc) passes n requests of which t are over the limit iff
n ≥ h + t, h the smallest count with I_q(h, t + 1) ≤ 1 − confidence. It takes requests as independent. Those of a
queue are not: so the rule is used with n and t divided by the correlation time of the tail, which is the same as
asking that the upper bound of the p99 interval keeps the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

from evalkit.stats.correlation_time import tail_correlation_time
from evalkit.stats.preconditions import finite_values, require_fraction, require_positive
from evalkit.stats.quantiles import certificate_passes

P99 = 0.99
MOST_REQUESTS = 1_000_000_000  # more than anybody sends: such a claim stays open


class CertificateOutcome(StrEnum):
    """``HOLDS``: the quantile keeps the limit. ``BROKEN``: it does not. ``OPEN``: neither is shown."""

    HOLDS = "holds"
    OPEN = "open"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The claim "the q-quantile of latency is at most ``limit_ms``" and what ``requests`` say of it.

    ``allowed_over_limit`` of these requests could have been over the limit and the claim would still hold; None where
    not even 0 would do. ``requests_needed`` is how many requests in all decide an open claim, if the share over the
    limit stays as it is; None where it is decided, or where more would not help because the share is just at the bar.
    ``loadgen_passes`` is LoadGen's own rule, which takes the requests as independent.
    """

    limit_ms: float
    q: float
    confidence: float
    requests: int
    over_limit: int
    correlation_time: float
    outcome: CertificateOutcome
    allowed_over_limit: int | None
    requests_needed: int | None
    loadgen_passes: bool

    @property
    def more_requests(self) -> int | None:
        """How many further requests an open claim needs."""
        return None if self.requests_needed is None else max(0, self.requests_needed - self.requests)


def certify(latency_ms: ArrayLike, limit_ms: float, confidence: float, q: float = P99) -> Certificate:
    """Judge the claim on ``latency_ms``, shape (n,), in time order, with failed requests charged the time-out.

    ``confidence`` is one-sided, of either outcome.

    Raises ``ValueError`` for latencies that are not finite, a limit that is not positive, or a confidence or q
    outside (0, 1).

    >>> certify([5.0] * 459, limit_ms=10.0, confidence=0.99).outcome.value
    'holds'
    >>> certify([5.0] * 400, limit_ms=10.0, confidence=0.99).more_requests
    59
    """
    require_positive("limit_ms", limit_ms)
    require_fraction("confidence", confidence)
    require_fraction("q", q)
    latencies = finite_values("latency_ms", latency_ms)
    n, over = latencies.size, int(np.sum(latencies > limit_ms))
    time = tail_correlation_time(latencies, q)
    outcome = _outcome(n / time, over / time, q, confidence)
    return Certificate(
        limit_ms=limit_ms,
        q=q,
        confidence=confidence,
        requests=n,
        over_limit=over,
        correlation_time=time,
        outcome=outcome,
        allowed_over_limit=_allowed(n, time, q, confidence),
        requests_needed=_needed(n, over, time, q, confidence) if outcome is CertificateOutcome.OPEN else None,
        loadgen_passes=n > 0 and certificate_passes(n, over, q, confidence),
    )


def _outcome(n: float, over: float, q: float, confidence: float) -> CertificateOutcome:
    if _holds(n, over, q, confidence):
        return CertificateOutcome.HOLDS
    if over > 0 and betainc(over, n - over + 1, 1 - q) <= 1 - confidence:
        return CertificateOutcome.BROKEN
    return CertificateOutcome.OPEN


def _holds(n: float, over: float, q: float, confidence: float) -> bool:
    return over < n and bool(betainc(n - over, over + 1, q) <= 1 - confidence)


def _allowed(n: int, time: float, q: float, confidence: float) -> int | None:
    """Fewer over the limit are always better, so the most that are allowed lie between 0 and n."""
    if not _holds(n / time, 0.0, q, confidence):
        return None
    lower, upper = 0, n
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (middle, upper) if _holds(n / time, middle / time, q, confidence) else (lower, middle)
    return lower


def _needed(n: int, over: int, time: float, q: float, confidence: float) -> int | None:
    """The fewest requests that decide either way at the share that was observed, rounded against the claim."""
    share = over / n if n else 0.0

    def decides(total: int) -> bool:
        most, fewest = math.ceil(share * total - 1e-9), math.floor(share * total + 1e-9)
        is_broken = _outcome(total / time, fewest / time, q, confidence) is CertificateOutcome.BROKEN
        return is_broken or _holds(total / time, most / time, q, confidence)

    lower, upper = n, max(2 * n, 1)
    while not decides(upper):
        lower, upper = upper, 2 * upper
        if upper > MOST_REQUESTS:
            return None
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if decides(middle) else (middle, upper)
    return upper
