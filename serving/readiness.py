"""Whether traffic should be sent to this server."""

from __future__ import annotations

import enum


class Readiness(enum.Enum):
    """The value says it in words."""

    STARTING = "the model is not warmed up yet"
    READY = "ready"
    DRAINING = "the server is draining"
