"""The calls that must be fast, as plain ASGI: no routing, no request object, no validation model.

FastAPI's own path through a request costs about as much as the model. So the server looks up the path of these
calls first and leaves everything else to FastAPI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fastapi.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

Headers: TypeAlias = list[tuple[bytes, bytes]]
Handler: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"

# A refused upload is read up to this many times the limit, because a connection closed over unread bytes
# is reset and the client may never see the refusal.
_DISCARD_FACTOR = 4


async def read_body(receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413 where it is larger than `limit_bytes`.
        ClientDisconnect: the client left before sending all of it.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= limit_bytes * _DISCARD_FACTOR:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > limit_bytes:
        raise HTTPException(413, f"the body is larger than {limit_bytes} bytes; send less in one request")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def respond(send: Send, status: int, content_type: bytes, body: bytes, headers: Headers | None = None) -> None:
    """Send a whole answer."""
    own = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": own + (headers or [])})
    await send({"type": "http.response.body", "body": body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of the name, which is in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def client_gone(receive: Receive) -> Callable[[], bool] | None:
    """Whether the client has left, as a question that costs nothing; None where the server does not know it.

    ASGI tells it only to a task that waits for it, one more for each request. uvicorn's `receive` is a method of an
    object that knows.
    """
    cycle: Any = getattr(receive, "__self__", None)
    if not isinstance(getattr(cycle, "disconnected", None), bool):
        return None
    return lambda: bool(cycle.disconnected)


def raw_headers(headers: Mapping[str, str] | None) -> Headers:
    """Headers as ASGI wants them."""
    return [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
