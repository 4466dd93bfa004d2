"""Errors over HTTP, as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from serving.batching import Draining, QueueFull
from serving.errors import InferenceError
from serving.request_id import HEADER, request_id_of

MEDIA_TYPE = "application/problem+json"
# The queue empties within a batch or two, and a draining server is replaced: ask again in a second.
RETRY_AFTER_S = "1"
# Python before 3.13 has the phrases of the RFC that came before.
_RFC_9110_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem response; the title is the status phrase, as RFC 9457 asks of the type about:blank."""
    title = _RFC_9110_PHRASES.get(status) or HTTPStatus(status).phrase
    body = {"title": title, "status": status, "detail": detail}
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error that leaves a handler into a problem response."""
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(QueueFull, _unavailable)
    app.add_exception_handler(Draining, _unavailable_for_good)
    app.add_exception_handler(InferenceError, _inference_error)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, (HTTPException, StarletteHTTPException))
    return problem(error.status_code, str(error.detail), error.headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    return problem(503, str(error), {"Retry-After": RETRY_AFTER_S})


async def _unavailable_for_good(_: Request, error: Exception) -> Response:
    # Closing the connection tells a client that pools it to connect anew, perhaps to another server.
    return problem(503, str(error), {"Retry-After": RETRY_AFTER_S, "Connection": "close"})


async def _inference_error(_: Request, error: Exception) -> Response:
    return problem(500, str(error))


async def _client_left(_: Request, __: Exception) -> Response:
    return problem(400, "the body ended early")  # nobody reads it, and it is no failure of the server


async def _unexpected(request: Request, _: Exception) -> Response:
    # Sent outside the middleware that names requests, so it names its own.
    return problem(500, "the server failed; its log says how", {HEADER: request_id_of(request.scope)})
