"""The server as a real process, for tests that start, load, stop and kill it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 30
GOOD = b'{"texts": ["good"]}'


@dataclass(frozen=True)
class Answer:
    """One answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    trusted: ssl.SSLContext | None = None

    @property
    def address(self) -> tuple[str, int]:
        return self.ready["host"], self.ready["port"]

    def connect(self) -> http.client.HTTPConnection:
        if self.trusted is not None:
            return http.client.HTTPSConnection(*self.address, timeout=10, context=self.trusted)
        return http.client.HTTPConnection(*self.address, timeout=10)

    def raw(self, timeout_s: float = 10) -> socket.socket:
        return socket.create_connection(self.address, timeout=timeout_s)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Over a connection of its own."""
        connection = self.connect()
        try:
            return exchange(connection, method, path, body, headers)
        finally:
            connection.close()

    def classify(self, body: bytes = GOOD, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", "/v1/classify", body, headers)

    def stop(self) -> tuple[int, str]:
        """SIGTERM; the exit status and what was said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        return code, self.process.stderr.read() if self.process.stderr else ""


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, named, response.read())


def body_of(*texts: str) -> bytes:
    return json.dumps({"texts": texts}).encode()


def arguments(folder: Path, *flags: str) -> list[str]:
    return [str(folder), "--provider", "cpu", *flags]


def command(folder: Path, *flags: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "serving", *arguments(folder, *flags)]


@contextmanager
def running(
    folder: Path,
    *flags: str,
    program: str | None = None,
    environment: Mapping[str, str] | None = None,
    trusted: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """A started server; `program` is Python code to run in place of `-m serving`."""
    usual = command(folder, "--port", "0", *flags)
    other = [sys.executable, "-c", program or "", *arguments(folder, "--port", "0", *flags)]
    process = subprocess.Popen(
        usual if program is None else other,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        watchdog.cancel()
        assert line, f"no ready line; stderr: {process.communicate()[1]}"
        yield Server(process, json.loads(line), trusted)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


class Client(threading.Thread):
    """Sends one request after the other over one connection until it is refused or `enough`; counts what was lost."""

    def __init__(self, server: Server, enough: Callable[[], bool] = lambda: False, rows: int = 8) -> None:
        super().__init__()
        self._server = server
        self._enough = enough
        self._body = body_of(*["good day"] * rows)
        self.answered = 0
        self.versions: list[str] = []
        self.refused: dict[str, str] | None = None
        self.lost: list[str] = []

    def run(self) -> None:
        connection = self._server.connect()
        while self.refused is None and not self.lost and not self._enough():
            try:
                answer = exchange(connection, "POST", "/v1/classify", self._body)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                break
            if answer.status == 200:
                self.answered += 1
                self.versions.append(answer.json["version"])
            elif answer.status == 503:
                self.refused = answer.headers
            else:
                self.lost.append(str(answer.status))
        connection.close()


def metrics_of(server: Server) -> dict[str, float]:
    """`name{label="value",...}` of every sample, labels in alphabetical order, and its value."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, float] = {}
    for family in text_string_to_metric_families(server.ask("GET", "/metrics").body.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
