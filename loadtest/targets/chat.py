"""An OpenAI-compatible chat whose answer is streamed: time to the first token, and how many tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from loadtest.targets.target import NO_ANSWER, Answer, Response, Row

DONE = "[DONE]"


class ChatTarget:
    """``POST /v1/chat/completions``; the label is the whole answer, without space around it.

    The first token has come when the first piece of text that is not empty has been read. The number of
    tokens is what the server says in ``usage``; of a server that does not say it, each piece of text
    counts as one token, as vLLM and llama.cpp send them. A stream that ends without ``[DONE]`` or a
    ``finish_reason``, or that holds an error, is no answer.
    """

    accept = "text/event-stream"
    always_read = True

    def __init__(self, path: str, model: str, max_tokens: int | None) -> None:
        self.path = path
        self._fixed: dict[str, Any] = {
            "model": model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
        }
        if max_tokens is not None:
            self._fixed["max_tokens"] = max_tokens

    def body(self, text: str, row: Row) -> str:  # noqa: ARG002 - other targets' bodies use the row
        return json.dumps({**self._fixed, "messages": [{"role": "user", "content": text}]})

    def read(self, response: Response) -> Answer:
        try:
            return _answer(response)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return NO_ANSWER


def _answer(response: Response) -> Answer:
    texts: list[str] = []
    first_s: float | None = None
    stated: int | None = None
    finished = False
    for time_s, data in _events(response):
        if data == DONE:
            finished = True
            continue
        event = json.loads(data)
        if "error" in event:
            return NO_ANSWER
        stated = (event.get("usage") or {}).get("completion_tokens", stated)
        for choice in event.get("choices", [])[:1]:
            finished = finished or choice.get("finish_reason") is not None
            piece = (choice.get("delta") or {}).get("content")
            if piece:
                texts.append(piece)
                first_s = time_s if first_s is None else first_s
    if not finished or first_s is None:
        return NO_ANSWER
    return Answer(True, "".join(texts).strip(), first_s, stated if stated is not None else len(texts))


def _events(response: Response) -> Iterator[tuple[float, str]]:
    """When the end of each ``data:`` line was read, and what it says."""
    rest = b""
    for piece, time_s in zip(response.pieces, response.times_s, strict=True):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield time_s, line[5:].strip().decode("utf-8")
