"""Every answer carries an X-Request-Id: the client's own, or a new one."""

from __future__ import annotations

import re
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_HEADER_LOWER = b"x-request-id"
_STATE_KEY = "request_id"
# Visible ASCII of bounded length: the value is echoed in a header and may reach a log.
_ACCEPTED = re.compile(rb"[\x21-\x7e]{1,128}")


class RequestIdMiddleware:
    """Plain ASGI middleware: it wraps `send` and buffers nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the header when its answer starts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = request_id_of(scope).encode()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER_LOWER, identity)]
            await send(message)

        await self._app(scope, receive, send_named)


def request_id_of(scope: Scope) -> str:
    """The request's identity, made on first use; the client's is kept if it is short and printable."""
    state = scope.setdefault("state", {})
    if _STATE_KEY not in state:
        given = next((value for name, value in scope["headers"] if name == _HEADER_LOWER), b"")
        state[_STATE_KEY] = given.decode() if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
    identity: str = state[_STATE_KEY]
    return identity
