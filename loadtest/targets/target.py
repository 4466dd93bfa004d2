"""What every kind of target can do: write a request's body, and read an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Row = Mapping[str, Any]


@dataclass(slots=True)
class Response:
    """A whole answer. ``pieces`` are the parts of its body, ``times_s`` when each was read."""

    status: int
    pieces: list[bytes]
    times_s: list[float]

    @property
    def content(self) -> bytes:
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class Answer(NamedTuple):
    """What an answer of status 200 says.

    ``ok`` is whether it is one at all. ``first_token_s`` and ``tokens`` are known of streamed text only.
    """

    ok: bool
    label: str | None = None
    first_token_s: float | None = None
    tokens: int | None = None


NO_ANSWER = Answer(ok=False)


class Target(Protocol):
    """One protocol. ``path`` is below the server's base address; ``accept`` is the type of its answers.

    ``always_read`` says that an answer holds measurements beside the label, and is read even where the
    label is not checked.
    """

    path: str
    accept: str
    always_read: bool

    def body(self, text: str, row: Row) -> str: ...

    def read(self, response: Response) -> Answer: ...


def at_pointer(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) points at.

    >>> at_pointer({"a/b": [{"label": "x"}]}, "/a~1b/0/label")
    'x'

    Raises:
        LookupError: when it points nowhere.
    """
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list):
            if not name.isdecimal():
                raise LookupError(name)
            document = document[int(name)]
        elif isinstance(document, dict):
            document = document[name]
        else:
            raise LookupError(name)
    return document


def label_at(content: bytes, pointer: str) -> Answer:
    """The label at the pointer, which must be a string, a number or a truth value, as text."""
    try:
        value = at_pointer(json.loads(content), pointer)
    except (ValueError, LookupError, RecursionError):
        return NO_ANSWER
    if isinstance(value, str):
        return Answer(True, value)
    return Answer(True, json.dumps(value)) if isinstance(value, bool | int | float) else NO_ANSWER
