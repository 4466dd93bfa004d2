"""The OpenAI-compatible server with planned faults (`benchmarks/labelling_bench/faulty_api.py`), as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).parents[1] / "benchmarks" / "labelling_bench" / "faulty_api.py"


@dataclass(frozen=True)
class Api:
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> dict[str, Any]:
        return self._get("/counts")

    def prompts(self) -> dict[str, list[int]]:
        """Text → how often it was asked, and answered."""
        return self._get("/prompts")

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def faulty_api(*options: object) -> Iterator[Api]:
    """The server, while it lives."""
    command = [sys.executable, str(SERVER), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Api(int(process.stdout.readline()))
        finally:
            process.kill()
