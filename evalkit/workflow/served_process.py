"""The real server as a child process, for as long as it is needed and not a moment longer."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import StageError
from evalkit.spec.gate import Serve

READY_S = 120.0
DRAIN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that answers at ``url``."""

    url: str
    pid: int
    provider: str
    version: str
    pinned_core: int | None


@contextmanager
def served(folder: Path, serve: Serve, log: Path, core: int | None) -> Iterator[Served]:
    """Starts the server on a free port, in a process group of its own; ends the whole group afterwards.

    The server watches its standard input and ends with its parent, even one that was killed outright.
    Raises StageError where it does not become ready.
    """
    command = [sys.executable, "-m", "serving", str(folder), "--port", "0", "--stop-on-stdin-eof"]
    command += ["--provider", serve.provider, "--threads", str(serve.threads)]
    command += ["--max-batch-rows", str(serve.max_batch_rows)]
    command += [] if core is None else ["--core", str(core)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env=_without_keys(),
        ) as process,
    ):
        try:
            yield _ready(process, log)
        finally:
            _end(process)


def _without_keys() -> dict[str, str]:
    """The gate's own server is for the gate alone, on loopback: keys of the user's servers would only lock it out."""
    return {name: value for name, value in os.environ.items() if name not in ("EVALKIT_API_KEY", "EVALKIT_ADMIN_KEY")}


def _ready(process: subprocess.Popen[bytes], log: Path) -> Served:
    line = _first_line(process)
    if not line:
        said = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise StageError(f"the server did not become ready: {said[-1]}")
    ready = json.loads(line)
    return Served(
        url=f"http://{ready['host']}:{ready['port']}",
        pid=ready["pid"],
        provider=ready["provider"],
        version=ready["version"],
        pinned_core=ready["pinned_core"],
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    deadline, received = time.monotonic() + READY_S, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in received and time.monotonic() < deadline:
            if selector.select(0.5):
                part = os.read(process.stdout.fileno(), 4096)
                if not part:
                    return b""
                received += part
    return received


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(DRAIN_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
