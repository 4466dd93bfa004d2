"""The HTTP application: `POST /v1/classify`, and what says who answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.batching import Batcher
from serving.classify_request import parse_texts, read_body
from serving.engine import Engine
from serving.metadata import Readiness, metadata_routes
from serving.problems import add_problem_handlers
from serving.request_id import RequestIdMiddleware
from serving.schemas import ClassifyResponse, Info, classify_request_body, problem_responses
from serving.settings import ServerSettings
from serving.tokens import EncodedText

# Up to this size a body is tokenised in the event loop: some tens of microseconds, less than handing it to a
# thread and back. A larger one would hold up everybody's answers, so a thread takes it.
_TOKENISE_INLINE_BYTES = 8_192


def create_app(engine: Engine, settings: ServerSettings) -> FastAPI:
    """The application around one loaded engine; its lifespan warms up and, at the end, drains.

    `app.state.batcher` is there for whoever stops the server: `drain()` finishes what was accepted.
    """
    batcher: Batcher[EncodedText] = Batcher(engine.probabilities, settings.max_batch_rows, settings.queue_limit_rows)
    warm = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.warm_up(settings.max_batch_rows)
        warm.set()
        yield
        await batcher.drain()
        batcher.close()

    def readiness() -> Readiness:
        if batcher.draining:
            return Readiness.DRAINING
        return Readiness.READY if warm.is_set() else Readiness.STARTING

    app = FastAPI(title="evalkit student server", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.batcher = batcher
    app.add_middleware(RequestIdMiddleware)
    add_problem_handlers(app)
    app.include_router(metadata_routes(engine, readiness))
    _add_classify(app, engine, batcher, settings)
    _add_info(app, engine, settings)
    return app


def _add_classify(app: FastAPI, engine: Engine, batcher: Batcher[EncodedText], settings: ServerSettings) -> None:
    @app.post(
        "/v1/classify",
        summary="Classify texts",
        responses={200: {"model": ClassifyResponse}, **problem_responses(400, 413, 422, 500, 503)},
        openapi_extra={"requestBody": classify_request_body(settings.max_request_rows)},
        response_class=Response,
    )
    async def classify(request: Request) -> Response:
        body = await read_body(request, limit_bytes=settings.max_body_bytes)
        texts = parse_texts(body, max_rows=settings.max_request_rows)
        batcher.check_room(len(texts))  # refuse before tokenising, so that overload stays cheap
        if len(body) <= _TOKENISE_INLINE_BYTES:
            encoded = engine.encode(texts)
        else:
            encoded = await asyncio.to_thread(engine.encode, texts)
        probabilities = await batcher.submit(encoded)
        truncated = sum(row.truncated for row in encoded)
        return Response(_answer(engine, probabilities, truncated), media_type="application/json")


def _add_info(app: FastAPI, engine: Engine, settings: ServerSettings) -> None:
    @app.get("/v1/info", summary="What answers, and on what")
    async def info() -> Info:
        return Info(
            model=engine.name,
            version=engine.version,
            labels=list(engine.labels),
            provider=engine.provider.value,
            threads=settings.threads,
            pid=os.getpid(),
        )


def _answer(engine: Engine, probabilities: np.ndarray, truncated: int) -> bytes:
    best = probabilities.argmax(axis=1).tolist()
    answer = {
        "model": engine.name,
        "version": engine.version,
        "labels": engine.labels,
        "predictions": [
            {"label": engine.labels[label], "probabilities": row}
            for label, row in zip(best, probabilities, strict=True)
        ],
        "truncated": truncated,
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
