"""A server with a known service time and planned faults (`tests/unit/loadtest/stub_server.py`), as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STUB = Path(__file__).parent / "unit" / "loadtest" / "stub_server.py"


@contextmanager
def stub_port(*options: str, prefix: tuple[str, ...] = ()) -> Iterator[int]:
    """Its port, while it lives; `prefix` is a command that runs it elsewhere."""
    with subprocess.Popen([*prefix, sys.executable, str(STUB), *options], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def stub_server(*options: str) -> Iterator[str]:
    """Its address, while it lives."""
    with stub_port(*options) as port:
        yield f"http://127.0.0.1:{port}"
