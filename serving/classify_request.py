"""Reads a classify request: a bounded body, JSON, a list of texts. No model of each row is built."""

from __future__ import annotations

import orjson
from fastapi import Request
from fastapi.exceptions import HTTPException
from starlette.requests import ClientDisconnect

# A refused upload is read up to this many times the limit, because a connection closed over unread bytes
# is reset and the client may never see the refusal.
_DISCARD_FACTOR = 4


async def read_body(request: Request, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413 where it is larger than `limit_bytes`.
        ClientDisconnect: the client left before sending all of it.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= limit_bytes * _DISCARD_FACTOR:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > limit_bytes:
        raise HTTPException(413, f"the body is larger than {limit_bytes} bytes; send fewer texts a request")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise HTTPException(422, '"texts" must be a list of at least one string, and of strings only')
    if len(texts) > max_rows:
        raise HTTPException(413, f"the request has {len(texts)} texts, the limit is {max_rows}; split it")
    return texts
