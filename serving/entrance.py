"""What every HTTP request passes: its identity, its key, and the notes that are taken of it.

Plain ASGI and no more than a few microseconds, for the hot calls pass here too.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access_log import AccessLog
from serving.errors import ServingError
from serving.figures import Figures
from serving.keys import Keys
from serving.plain_http import client_gone, header, raw_headers, respond
from serving.problems import CLIENT_LEFT, MEDIA_TYPE, TIMED_OUT, UNFORESEEN, Problem, problem_of
from serving.request_id import HEADER_LOWER, request_id_of
from serving.tracing import Tracing

# Whoever probes or scrapes has no key, and must get through when the server is full.
OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready", "/metrics"})
# Keys of the request's state: why the connection refuses it, whether its body came too late, and how many rows it has.
REFUSAL, TOO_LATE, ROWS = "refusal", "too_late", "rows"
_MS_PER_S = 1_000
_MOST_DIGITS = 18


class Entrance:
    """ASGI around the whole application.

    Args:
        app: what answers.
        keys: who may ask.
        figures: counts requests by path and status.
        access_log: gets a line for each, if there is one.
        tracing: gets a span for each, if there is one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        figures: Figures,
        access_log: AccessLog | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._figures = figures
        self._access_log = access_log
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send)
        try:
            if self._tracing is None:
                await self._admit(scope, receive, visit.send)
            else:
                with self._tracing.span(scope) as span:
                    await self._admit(scope, receive, visit.send)
                    self._tracing.finish(span, visit.status, visit.identity.decode())
        finally:
            self._note(scope, visit)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            body = refusal.body_at(scope["path"])
            await respond(send, refusal.status, MEDIA_TYPE.encode(), body, raw_headers(refusal.headers))

    def _refusal(self, scope: Scope) -> Problem | None:
        refusal: Problem | None = scope["state"].get(REFUSAL)
        if refusal is not None or scope["path"] in OPEN_PATHS:
            return refusal
        try:
            self._keys.require_api(scope["headers"])
        except ServingError as error:
            return problem_of(error) or UNFORESEEN
        return None

    def _note(self, scope: Scope, visit: _Visit) -> None:
        seconds = time.perf_counter() - visit.began
        self._figures.requested(scope["path"], visit.status, seconds)
        if self._access_log is not None:
            self._access_log.write(_entry(scope, visit, seconds))


class _Visit:
    """One request on its way through: who it is, and what it was answered."""

    __slots__ = ("_receive", "_scope", "_send", "_status", "began", "bytes_out", "identity")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.began = time.perf_counter()
        self.identity = request_id_of(scope)
        self.bytes_out = 0
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = CLIENT_LEFT.status
        scope.setdefault("state", {})

    @property
    def status(self) -> int:
        """What was sent; 408 where the connection itself had answered before; 499 where nobody was there any more."""
        return TIMED_OUT.status if TOO_LATE in self._scope["state"] else self._status

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            gone = client_gone(self._receive)
            if gone is None or not gone():
                self._status = message["status"]
            message["headers"] = [*message["headers"], (HEADER_LOWER, self.identity)]
        else:
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)


def _entry(scope: Scope, visit: _Visit, seconds: float) -> dict[str, Any]:
    length = header(scope, b"content-length") or b""
    client = scope.get("client")
    return {
        "request_id": visit.identity.decode(),
        "client": f"{client[0]}:{client[1]}" if client else None,
        "method": scope["method"],
        "path": scope["path"],
        "status": visit.status,
        "ms": round(seconds * _MS_PER_S, 3),
        "rows": scope["state"].get(ROWS),
        "bytes_in": int(length) if length.isdigit() and len(length) <= _MOST_DIGITS else None,
        "bytes_out": visit.bytes_out,
    }
