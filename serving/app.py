"""The HTTP application: what is hot as plain ASGI, everything else through FastAPI."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import classify
from serving.classifier import Classifier
from serving.engine import Engine
from serving.metadata import metadata_routes
from serving.openapi import add_plain_calls
from serving.plain_http import Handler, raw_headers, respond
from serving.problems import MEDIA_TYPE, UNFORESEEN, add_problem_handlers, problem_of
from serving.request_id import RequestIdMiddleware
from serving.schemas import Info
from serving.settings import ServerSettings

_log = logging.getLogger("serving")


class _PlainCalls:
    """ASGI: paths that have a handler of their own go there, all others to `app`."""

    def __init__(self, app: ASGIApp, handlers: Mapping[str, Handler]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            await handler(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - every request gets an answer
            problem = problem_of(error)
            if problem is None:
                _log.exception("a request failed")
                problem = UNFORESEEN
            await respond(send, problem.status, MEDIA_TYPE.encode(), problem.body, raw_headers(problem.headers))


class StudentApp(FastAPI):
    """FastAPI, except that plain handlers come first and every answer passes `RequestIdMiddleware`."""

    def serve_plainly(self, handlers: Mapping[str, Handler]) -> None:
        """Give these paths handlers of their own."""
        self._entrance = RequestIdMiddleware(_PlainCalls(super().__call__, handlers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._entrance(scope, receive, send)


def create_app(engine: Engine, settings: ServerSettings) -> StudentApp:
    """The application around one loaded engine; its lifespan warms up and, at the end, drains.

    `app.state.classifier` is there for whoever stops the server: `drain()` finishes what was accepted.
    """
    classifier = Classifier(engine, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        classifier.start()
        yield
        await classifier.drain()
        classifier.close()

    app = StudentApp(title="evalkit student server", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.classifier = classifier
    add_problem_handlers(app)
    app.include_router(metadata_routes(classifier))
    _add_info(app, classifier, settings)
    app.serve_plainly({classify.PATH: classify.classify_handler(classifier, settings)})
    add_plain_calls(app, settings)
    return app


def _add_info(app: FastAPI, classifier: Classifier, settings: ServerSettings) -> None:
    @app.get("/v1/info", summary="What answers, and on what")
    async def info() -> Info:
        engine = classifier.engine
        return Info(
            model=engine.name,
            version=engine.version,
            labels=list(engine.labels),
            provider=engine.provider.value,
            threads=settings.threads,
            pid=os.getpid(),
        )
