"""The identity of a request: the client's own X-Request-Id, or a new one."""

from __future__ import annotations

import os
import re

from starlette.types import Scope

HEADER = "X-Request-Id"
HEADER_LOWER = b"x-request-id"
# Visible ASCII of bounded length: the value is echoed in a header and may reach a log.
_ACCEPTED = re.compile(rb"[\x21-\x7e]{1,128}")
_RANDOM_BYTES = 16


def request_id_of(scope: Scope) -> bytes:
    """The client's, if it is short and printable, else a new one."""
    for name, value in scope["headers"]:
        if name == HEADER_LOWER:
            if _ACCEPTED.fullmatch(value):
                return bytes(value)
            break
    return os.urandom(_RANDOM_BYTES).hex().encode()
