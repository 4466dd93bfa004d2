"""How long a request may wait, as its client or the server's settings say."""

from __future__ import annotations

import asyncio
import math

from starlette.types import Scope

from serving.errors import InvalidRequest
from serving.plain_http import header

HEADER = "X-Request-Timeout-Ms"
_HEADER_LOWER = HEADER.lower().encode()
_MS_PER_S = 1_000
_MOST_CHARS = 64


def deadline_of(scope: Scope, *, max_wait_ms: int) -> float | None:
    """The event loop's time after which nobody wants the answer, from the header or else from `max_wait_ms`.

    0 for `max_wait_ms` sets none. A header may ask for less or for more.

    Raises:
        InvalidRequest: the header is no positive number of milliseconds.
    """
    given = header(scope, _HEADER_LOWER)
    wait_ms = float(max_wait_ms) if given is None else _milliseconds(given)
    return asyncio.get_running_loop().time() + wait_ms / _MS_PER_S if wait_ms else None


def deadline_in(seconds: float | None) -> float | None:
    """The event loop's time in so many seconds."""
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines.

    >>> earlier(None, 2.0), earlier(3.0, 2.0), earlier(None, None)
    (2.0, 2.0, None)
    """
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _milliseconds(given: bytes) -> float:
    try:
        stated = float(given) if len(given) <= _MOST_CHARS else math.nan
    except ValueError:
        stated = math.nan
    if not (stated > 0 and math.isfinite(stated)):
        raise InvalidRequest(f"{HEADER} must be a positive number of milliseconds, such as 250")
    return stated
