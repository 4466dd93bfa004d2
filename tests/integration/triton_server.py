"""A real tritonserver with its Python backend, as the wheel of nvidia-pytriton brings them; no GPU is needed.

EVALKIT_TRITON_PYTHON names the interpreter of a virtual environment with nvidia-pytriton, tokenizers and onnxruntime;
without it, this interpreter's own packages are looked at.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 90
LOOK = (
    "import importlib.util as u, sys\n"
    "found = u.find_spec('pytriton') and u.find_spec('onnxruntime') and u.find_spec('tokenizers')\n"
    "print('%d.%d' % sys.version_info[:2], u.find_spec('pytriton').submodule_search_locations[0] if found else '')"
)


@dataclass(frozen=True)
class Installed:
    """Where the wheel lies, and the Python that its models run in."""

    python: Path
    version: str
    package: Path


@dataclass(frozen=True)
class Triton:
    """Addresses of a running server."""

    http: str
    grpc: str
    process: subprocess.Popen[bytes]


def installed() -> Installed | None:
    """The tritonserver that can be run here, or None."""
    python = Path(os.environ.get("EVALKIT_TRITON_PYTHON", sys.executable))
    done = subprocess.run([str(python), "-c", LOOK], capture_output=True, text=True, check=True)
    version, _, package = done.stdout.strip().partition(" ")
    return Installed(python=python, version=version, package=Path(package)) if package else None


@contextmanager
def running_triton(where: Installed, repository: Path, work: Path) -> Iterator[Triton]:
    """Serves a model repository; raises AssertionError with the server's log where it does not become ready."""
    backends, log = _backends(where, work), work / "triton.log"
    http, grpc = _free_ports(2)
    arguments = {
        "model-repository": repository,
        "backend-directory": backends,
        "http-address": "127.0.0.1",
        "http-port": http,
        "grpc-address": "127.0.0.1",
        "grpc-port": grpc,
        "allow-metrics": "false",
    }
    command = [where.package / "tritonserver/bin/tritonserver", *(f"--{name}={is_}" for name, is_ in arguments.items())]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(where.package.parent / "nvidia_pytriton.libs"),
        "PATH": f"{where.python.parent}:{os.environ['PATH']}",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, env=environment)
    try:
        _wait_until_ready(process, http, log)
        yield Triton(http=f"127.0.0.1:{http}", grpc=f"127.0.0.1:{grpc}", process=process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _backends(where: Installed, work: Path) -> Path:
    """The Python backend with the stub of the interpreter's own version beside it, where Triton looks for it."""
    bundled = where.package / "tritonserver"
    folder = work / "backends" / "python"
    shutil.copytree(bundled / "backends" / "python", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(bundled / "python_backend_stubs" / where.version / "triton_python_backend_stub", folder)
    return folder.parent


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"tritonserver is not ready:\n{log.read_text(errors='replace')}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
