"""Errors over HTTP, as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from serving.batching import ClientGone, DeadlinePassed, Draining, QueueFull
from serving.errors import InferenceError, ServingError
from serving.request_id import HEADER, request_id_of

MEDIA_TYPE = "application/problem+json"
# The queue empties within a batch or two, and a draining server is replaced: ask again in a second.
RETRY_AFTER_S = "1"
# Python before 3.13 has the phrases of the RFC that came before.
_RFC_9110_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What to say of an error: the status, one sentence, and headers for the client to act on."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The JSON; the title is the status phrase, as RFC 9457 asks of the type about:blank."""
        title = _RFC_9110_PHRASES.get(self.status) or HTTPStatus(self.status).phrase
        return orjson.dumps({"title": title, "status": self.status, "detail": self.detail})


def problem_of(error: Exception) -> Problem | None:
    """What a client is told of an error that was foreseen; None for one that was not."""
    match error:
        case StarletteHTTPException():
            return Problem(error.status_code, str(error.detail), error.headers or {})
        case QueueFull():
            return Problem(503, str(error), {"Retry-After": RETRY_AFTER_S})
        case Draining():
            # Closing the connection tells a client that pools it to connect anew, perhaps to another server.
            return Problem(503, str(error), {"Retry-After": RETRY_AFTER_S, "Connection": "close"})
        case DeadlinePassed():
            return Problem(504, str(error))
        case InferenceError():
            return Problem(500, str(error))
        case ClientDisconnect() | ClientGone():
            return Problem(400, "the client left")  # nobody reads it, and it is no failure of the server
    return None


UNFORESEEN = Problem(500, "the server failed; its log says how")


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error that leaves one of FastAPI's handlers into a problem response."""
    for kind in (StarletteHTTPException, ServingError, ClientDisconnect):
        app.add_exception_handler(kind, _foreseen)
    app.add_exception_handler(Exception, _unexpected)


async def _foreseen(_: Request, error: Exception) -> Response:
    return _response(problem_of(error) or UNFORESEEN)


async def _unexpected(request: Request, _: Exception) -> Response:
    # Sent outside the middleware that names requests, so it names its own.
    return _response(replace(UNFORESEEN, headers={HEADER: request_id_of(request.scope)}))


def _response(problem: Problem) -> Response:
    return Response(problem.body, problem.status, dict(problem.headers), media_type=MEDIA_TYPE)
