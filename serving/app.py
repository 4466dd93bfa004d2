"""The HTTP application: what is hot as plain ASGI, everything else through FastAPI."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import classify, exposition
from serving.classifier import Classifier
from serving.engine import Engine
from serving.entrance import Entrance
from serving.infer import infer_handler, is_infer
from serving.metadata import metadata_routes
from serving.openapi import add_plain_calls
from serving.plain_http import Handler, raw_headers, respond
from serving.problems import MEDIA_TYPE, UNFORESEEN, add_problem_handlers, problem_of
from serving.repository import repository_routes
from serving.schemas import Info
from serving.settings import ServerSettings
from serving.surroundings import Surroundings
from serving.swapping import Swap

_log = logging.getLogger("serving")


class _PlainCalls:
    """ASGI: paths that have a handler of their own go there, inference calls to `infer`, all others to `app`."""

    def __init__(
        self, app: ASGIApp, handlers: Mapping[str, Handler], infer: Handler, retry_after_s: Callable[[], int]
    ) -> None:
        self._app = app
        self._handlers = handlers
        self._infer = infer
        self._retry_after_s = retry_after_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handler(scope["path"]) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            await handler(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - every request gets an answer
            problem = problem_of(error, retry_after_s=self._retry_after_s())
            if problem is None:
                _log.exception("a request failed")
                problem = UNFORESEEN
            body = problem.body_at(scope["path"])
            await respond(send, problem.status, MEDIA_TYPE.encode(), body, raw_headers(problem.headers))

    def _handler(self, path: str) -> Handler | None:
        return self._handlers.get(path) or (self._infer if is_infer(path) else None)


class StudentApp(FastAPI):
    """FastAPI, except that plain handlers come first and everything passes an `Entrance`."""

    def serve_plainly(
        self,
        handlers: Mapping[str, Handler],
        infer: Handler,
        retry_after_s: Callable[[], int],
        surroundings: Surroundings,
    ) -> None:
        """Give these paths handlers of their own, and one to the inference call of every model."""
        self._entrance = Entrance(
            _PlainCalls(super().__call__, handlers, infer, retry_after_s),
            keys=surroundings.keys,
            figures=surroundings.figures,
            access_log=surroundings.access_log,
            tracing=surroundings.tracing,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._entrance(scope, receive, send)


def create_app(engine: Engine, settings: ServerSettings, surroundings: Surroundings | None = None) -> StudentApp:
    """The application around one loaded engine; its lifespan warms up and, at the end, drains.

    `app.state.classifier` is there for whoever stops the server: `drain()` finishes what was accepted. And
    `app.state.swap` is there for whoever loads another model.
    """
    around = surroundings or Surroundings()
    classifier = Classifier(engine, settings, around.figures)
    swap = Swap(classifier, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        classifier.start()
        yield
        await classifier.drain()
        classifier.close()
        around.close()

    app = StudentApp(title="evalkit student server", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.classifier, app.state.swap = classifier, swap
    add_problem_handlers(app)
    app.include_router(metadata_routes(classifier))
    app.include_router(
        repository_routes(classifier, around.keys, around.loader or swap.load, around.folder, settings.model_root)
    )
    _add_info(app, classifier, settings)

    def retry_after_s() -> int:
        return max(1, math.ceil(classifier.batcher.wait_s()))

    handlers = {
        classify.PATH: classify.classify_handler(classifier, settings),
        exposition.PATH: exposition.metrics_handler(around.board, around.figures, classifier),
    }
    app.serve_plainly(handlers, infer_handler(classifier, settings), retry_after_s, around)
    add_plain_calls(app, settings, around.keys)
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
