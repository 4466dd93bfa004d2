"""What can go wrong with one request."""

from __future__ import annotations

from enum import IntEnum


class Failure(IntEnum):
    """Kept as a number while the run is on; its name in lower case is what the samples say."""

    NONE = 0
    CONNECT = 1  # nobody listens there, or the TLS handshake failed
    CLOSED = 2  # the server closed the connection before the whole answer was here
    TIMEOUT = 3
    NOT_HTTP = 4  # what came back is no HTTP/1.1 answer
    TOO_LARGE = 5
    REDIRECT = 6  # never followed: it could carry load to another machine
    STATUS = 7  # another status than 200
    NO_ANSWER = 8  # status 200, and a body that the target's protocol does not know
    CUT = 9  # in flight when the run was interrupted


class ExchangeFailed(Exception):
    """No answer came. ``reached`` is whether the server said anything at all on this connection."""

    def __init__(self, failure: Failure, reached: bool) -> None:
        super().__init__(failure.name)
        self.failure = failure
        self.reached = reached
