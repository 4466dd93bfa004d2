"""When a request that failed is sent again: exponential backoff with jitter, never before the API's Retry-After."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

import numpy as np

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_RETRY_AFTER_S = 600.0
"""Whoever is asked to wait longer had better come back."""


def wait_s(attempt: int, retry_after_s: float | None, rng: np.random.Generator) -> float:
    """Seconds before the next attempt, after ``attempt`` ≥ 1 have failed: half to all of 0.5 · 2^(attempt − 1), at most
    30, or Retry-After and up to a tenth of it more where that is later."""
    backoff_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 10)) * float(rng.uniform(0.5, 1.0))
    if retry_after_s is None:
        return backoff_s
    return max(backoff_s, retry_after_s * float(rng.uniform(1.0, 1.1)))


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """What Retry-After asks for: seconds or a date (RFC 9110, section 10.2.3), or ``retry-after-ms``. None where it is
    absent or no sense can be made of it.

    >>> retry_after_s({"retry-after": "2"})
    2.0
    >>> retry_after_s({"retry-after": "soon"}) is None
    True
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    stated = headers.get("retry-after")
    seconds = _number(stated)
    if seconds is not None or stated is None:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(stated).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value < float("inf") else None
