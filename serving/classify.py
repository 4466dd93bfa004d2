"""`POST /v1/classify`: texts in, labels and probabilities out."""

from __future__ import annotations

import numpy as np
import orjson
from fastapi.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from serving.classifier import Answered, Classifier
from serving.deadline import deadline_of
from serving.entrance import ROWS
from serving.plain_http import JSON, Handler, client_gone, read_body, respond
from serving.settings import ServerSettings

PATH = "/v1/classify"


def classify_handler(classifier: Classifier, settings: ServerSettings) -> Handler:
    """The call as plain ASGI; what it raises is an answer too (see `serving.problems`)."""

    async def classify(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise HTTPException(405, f"{PATH} takes POST", {"Allow": "POST"})
        deadline = deadline_of(scope, max_wait_ms=settings.max_wait_ms)
        body = await read_body(receive, limit_bytes=settings.max_body_bytes)
        texts = parse_texts(body, max_rows=settings.max_request_rows)
        scope["state"][ROWS] = len(texts)
        answered = await classifier.answer_texts(texts, deadline=deadline, gone=client_gone(receive))
        await respond(send, 200, JSON, _answer(answered))

    return classify


def parse_texts(body: bytes, *, max_rows: int) -> list[str]:
    """The texts of a classify request.

    Raises:
        HTTPException: 400 where the body is not JSON, 413 where there are more than `max_rows` texts, 422
            where it is not `{"texts": [string, …]}` with at least one text.
    """
    try:
        stated = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    if not isinstance(stated, dict) or "texts" not in stated:
        raise HTTPException(422, 'the body must be a JSON object with the key "texts"')
    if len(stated) > 1:
        extra = ", ".join(sorted(repr(key) for key in stated if key != "texts"))
        raise HTTPException(422, f'the body has unknown keys {extra}; the only key is "texts"')
    texts = stated["texts"]
    # Of a list that is too long anyway, no more than the limit is looked at.
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts[:max_rows]):
        raise HTTPException(422, '"texts" must be a list of at least one string, and of strings only')
    if len(texts) > max_rows:
        raise HTTPException(413, f"the request has {len(texts)} texts, the limit is {max_rows}; split it")
    return texts


def _answer(answered: Answered) -> bytes:
    engine, probabilities = answered.engine, answered.probabilities
    best: list[int] = np.argmax(probabilities, axis=1).tolist()
    answer = {
        "model": engine.name,
        "version": engine.version,
        "labels": engine.labels,
        "predictions": [
            {"label": engine.labels[label], "probabilities": row}
            for label, row in zip(best, probabilities, strict=True)
        ],
        "truncated": answered.truncated,
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
