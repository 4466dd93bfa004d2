"""Errors over HTTP, as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from serving.batching import Draining, QueueFull
from serving.errors import (
    InferenceError,
    InvalidRequest,
    LoadConflict,
    ModelFolderError,
    ProviderError,
    RequestTooLarge,
    ServingError,
    UnknownModel,
)
from serving.keys import KeyMissing, NotAllowed
from serving.parts import ClientGone, DeadlinePassed

MEDIA_TYPE = "application/problem+json"
# A draining server is replaced, and a starting one starts: ask again in a second.
RETRY_AFTER_S = "1"
_V2 = "/v2"
# Python before 3.13 has the phrases of the RFC before 9110, and none has nginx's 499.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content", 499: "Client Closed Request"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What to say of an error: the status, one sentence, and headers for the client to act on."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The JSON; the title is the status phrase, as RFC 9457 asks of the type about:blank."""
        return orjson.dumps(self._members())

    def body_at(self, path: str) -> bytes:
        """The JSON for an answer at a path: Open Inference Protocol v2 clients read the member `error`."""
        if path.startswith(_V2):
            return orjson.dumps({**self._members(), "error": self.detail})
        return self.body

    def _members(self) -> dict[str, str | int]:
        title = _PHRASES.get(self.status) or HTTPStatus(self.status).phrase
        return {"title": title, "status": self.status, "detail": self.detail}


def problem_of(error: Exception, *, retry_after_s: int = 1) -> Problem | None:
    """What a client is told of an error that was foreseen; None for one that was not.

    A queue that is full has room again in about `retry_after_s` seconds.
    """
    match error:
        case StarletteHTTPException():
            return Problem(error.status_code, str(error.detail), error.headers or {})
        case QueueFull():
            return Problem(503, str(error), {"Retry-After": str(retry_after_s)})
        case Draining():
            # Closing the connection tells a client that pools it to connect anew, perhaps to another server.
            return Problem(503, str(error), {"Retry-After": RETRY_AFTER_S, "Connection": "close"})
        case KeyMissing():
            return Problem(401, str(error), {"WWW-Authenticate": "Bearer"})
        case ClientDisconnect() | ClientGone():
            return CLIENT_LEFT
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return Problem(status, str(error))
    return None


# The first that fits counts, so the narrower ones come first.
_STATUSES: tuple[tuple[type[ServingError], int], ...] = (
    (RequestTooLarge, 413),
    (InvalidRequest, 400),
    (UnknownModel, 404),
    (NotAllowed, 403),
    (LoadConflict, 409),
    (ModelFolderError, 422),
    (DeadlinePassed, 504),
    (InferenceError, 500),
    (ProviderError, 500),
)
# Nobody reads it, but it is no failure of the server; the number is nginx's.
CLIENT_LEFT = Problem(499, "the client left")
_CLOSING = {"Connection": "close"}
NOT_HTTP = Problem(400, "the request is not HTTP/1.1", _CLOSING)
TIMED_OUT = Problem(408, "the request was not sent in time", _CLOSING)
HEAD_TOO_LARGE = Problem(431, "the request's line and headers are too large", _CLOSING)
TOO_MANY_CONNECTIONS = Problem(
    503,
    "too many connections are open; close idle ones, or try again shortly",
    {"Retry-After": RETRY_AFTER_S, **_CLOSING},
)
UNFORESEEN = Problem(500, "the server failed; its log says how")


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error that leaves one of FastAPI's handlers into a problem response."""
    for kind in (StarletteHTTPException, ServingError, ClientDisconnect):
        app.add_exception_handler(kind, _foreseen)
    app.add_exception_handler(Exception, _unexpected)


async def _foreseen(request: Request, error: Exception) -> Response:
    return _response(problem_of(error) or UNFORESEEN, request)


async def _unexpected(request: Request, _: Exception) -> Response:
    return _response(UNFORESEEN, request)


def _response(problem: Problem, request: Request) -> Response:
    return Response(
        problem.body_at(request.scope["path"]), problem.status, dict(problem.headers), media_type=MEDIA_TYPE
    )
