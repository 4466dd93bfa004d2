"""What master and workers say to each other: a line of JSON, then as many bytes as the line announces.

There is no password and no encryption: the port belongs on a network whose machines trust each other.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from loadtest.errors import InputError, LoadTestError

PROTOCOL = 1
MAX_LINE = 65_536
MAX_CONTENT = 2**32
HELLO, PART, READY, GO, PROGRESS, RECORD, STOP, FAILED = (
    "hello", "part", "ready", "go", "progress", "record", "stop", "failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """``kind`` and its ``fields``; ``parts`` are named blocks of bytes."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)


class Line:
    """One end of the connection. Reading and writing may happen in two threads."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sock = sock
        self._file: BinaryIO = sock.makefile("rb")

    def send(self, frame: Frame) -> None:
        sizes = {name: len(content) for name, content in frame.parts.items()}
        head = json.dumps({"kind": frame.kind, "fields": frame.fields, "parts": sizes}).encode() + b"\n"
        self._sock.sendall(b"".join([head, *frame.parts.values()]))

    def receive(self) -> Frame:
        """Raises LoadTestError where the other end is gone, or speaks something else."""
        try:
            line = self._file.readline(MAX_LINE)
            if not line:
                raise LoadTestError("the other end of the line is gone")
            head = json.loads(line)
            sizes = {str(name): int(size) for name, size in head["parts"].items()}
            if any(size < 0 for size in sizes.values()) or sum(sizes.values()) > MAX_CONTENT:
                raise LoadTestError(f"the other end announces parts of {sizes} bytes; {MAX_CONTENT} is the most")
            parts = {name: self._exactly(size) for name, size in sizes.items()}
            return Frame(str(head["kind"]), dict(head["fields"]), parts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadTestError(
                "the other end speaks another protocol; is it an evalkit of the same version?"
            ) from error
        except OSError as error:
            raise LoadTestError(f"the other end of the line is gone ({error})") from error

    def expect(self, kind: str) -> Frame:
        """The next frame. Raises LoadTestError where it is of another kind, with what went wrong there."""
        frame = self.receive()
        if frame.kind == FAILED:
            raise LoadTestError(str(frame.fields.get("message", "the worker failed")))
        if frame.kind != kind:
            raise LoadTestError(f"the other end said {frame.kind!r} where {kind!r} was due")
        return frame

    def patience(self, seconds: float) -> None:
        """How long a silence means that the other end is gone."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes whoever reads, who would else keep the file locked
        self._file.close()
        self._sock.close()

    def _exactly(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) != size:
            raise LoadTestError("the other end of the line is gone")
        return content


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; an IPv6 address stands in brackets.

    >>> parse_place("10.0.0.5:5557"), parse_place("[::1]:5557")
    (('10.0.0.5', 5557), ('::1', 5557))

    Raises:
        InputError: when it is not that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise InputError(f"address is {text!r}; give HOST:PORT, e.g. 10.0.0.5:5557")
    return host.removeprefix("[").removesuffix("]"), int(port)
