"""uvicorn's HTTP/1.1 connection, with the limits that it lacks: time to send a request, size of its head, number of
connections.

A client that takes for ever to send its request is cheap for it and holds a connection here. A timer for each request
would cost every one of them a few microseconds; so a connection notes since when it waits for its client, and
`check_clock` is called on all of them once a second.

A client that closes its sending side counts as gone, and what it asked for is not computed: a half-closed connection
looks exactly like that of a client that was killed, and overload comes with many of those.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.entrance import OPEN_PATHS, REFUSAL, TOO_LATE
from serving.figures import Figures
from serving.problems import HEAD_TOO_LARGE, MEDIA_TYPE, NOT_HTTP, TIMED_OUT, TOO_MANY_CONNECTIONS, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a connection may ask of the server: see `ServerSettings`."""

    connections: int
    head_bytes: int
    read_timeout_s: float


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, figures: Figures, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._figures = figures
        self._waiting_since: float | None = None
        self._in_head = True
        self._head_bytes = 0
        self._crowded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client connected; from now on it has time to send a request."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._crowded = len(self.connections) > self._limits.connections

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        super().connection_lost(exc)
        self._figures.disconnected()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self._limits.head_bytes:
            self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The end of the head; the body has a time limit of its own."""
        self._in_head = False
        self._waiting_since = self.loop.time()
        if self._head_bytes > self._limits.head_bytes and self._exact_head_bytes() > self._limits.head_bytes:
            self.scope["state"][REFUSAL] = HEAD_TOO_LARGE
        super().on_headers_complete()
        if self._crowded and self.scope["path"] not in OPEN_PATHS:
            self._figures.refused("too many connections")
            self.scope["state"][REFUSAL] = TOO_MANY_CONNECTIONS

    def on_message_complete(self) -> None:
        """The end of a request: the client may take its time before the next one."""
        super().on_message_complete()
        self._waiting_since = None
        self._in_head = True
        self._head_bytes = 0

    def check_clock(self, now: float) -> None:
        """Close the connection if its client has had its time; `now` is the loop's."""
        since = self._waiting_since
        if since is None or now - since <= self._limits.read_timeout_s:
            return
        if self.flow.read_paused or (self._in_head and self._answering):
            self._waiting_since = now  # it is the server that keeps the client waiting
        elif self._in_head and not self._head_bytes:
            self.transport.close()
        else:
            self._refuse(TIMED_OUT)

    def send_400_response(self, _: str) -> None:
        """Answer what is no HTTP; uvicorn's own answer is plain text."""
        self._refuse(NOT_HTTP)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _exact_head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _refuse(self, problem: Problem) -> None:
        """Answer on the wire, where the application has not begun to, and close the connection."""
        self._waiting_since = None
        if self.transport.is_closing():
            return
        if self._in_head:
            self._figures.unread(problem.status)
        else:
            self.cycle.scope["state"][TOO_LATE] = True  # the application counts the request, when it finds it gone
        if not (self._answering and self.cycle.response_started):
            self.transport.write(_on_the_wire(problem))
        self.transport.close()


def _on_the_wire(problem: Problem) -> bytes:
    try:
        phrase = HTTPStatus(problem.status).phrase
    except ValueError:
        phrase = ""
    body = problem.body
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers}
    lines = (f"HTTP/1.1 {problem.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode() + body
