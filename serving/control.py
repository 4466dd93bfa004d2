"""What supervisor and workers say to each other: JSON, one object a line, over a pair of sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any, TypeAlias

from serving.errors import InferenceError, LoadConflict, ModelFolderError, ProviderError, ServingError
from serving.loads import Load, Loaded

Message: TypeAlias = dict[str, Any]

# The keys that say what a message is about: of a worker, and of the supervisor.
EVENT, DO = "event", "do"

_ERRORS = {kind.__name__: kind for kind in (ModelFolderError, ProviderError, LoadConflict, InferenceError)}


class Control:
    """One end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Control:
        """The line over one socket of the pair."""
        return cls(*await asyncio.open_connection(sock=end))

    def tell(self, message: Message) -> None:
        """Send; to an end that is gone, nothing."""
        if not self._writer.is_closing():
            self._writer.write(line_of(message))

    async def heard(self) -> Message | None:
        """The next message, or None once the other end is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: Message = json.loads(line)
        return message

    async def close(self) -> None:
        """End the line, once what was told is sent."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def line_of(message: Message) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def described_error(error: Exception) -> Message:
    """An error as a message; one that nobody foresaw keeps its words to itself."""
    if type(error).__name__ in _ERRORS:
        return {"error": type(error).__name__, "text": str(error)}
    return {"error": "", "text": f"unforeseen {type(error).__name__}; the log of the worker says how"}


def error_of(message: Message) -> ServingError | None:
    """The error that a message describes, if it does."""
    if "error" not in message:
        return None
    kind = _ERRORS.get(message["error"], ServingError)
    return kind(message["text"])


def load_message(load: Load) -> Message:
    """A load as a message."""
    return {"folder": str(load.folder), "allow_other_labels": load.allow_other_labels}


def load_of(message: Message) -> Load:
    """The load in a message."""
    return Load(folder=Path(message["folder"]), allow_other_labels=message["allow_other_labels"])


def loaded_message(loaded: Loaded) -> Message:
    """What is served now as a message."""
    return {"name": loaded.name, "version": loaded.version, "former_version": loaded.former_version}


def loaded_of(message: Message) -> Loaded:
    """What is served now, in a message."""
    return Loaded(name=message["name"], version=message["version"], former_version=message["former_version"])
