"""Processes held to a core: what is measured has one for itself, and the load comes from another."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.claims import ROOT

START_S = 90.0
_STOP_S = 15.0
# Threads of libraries that a server may bring along; all of a server's processes share one core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def two_cores() -> tuple[int, int]:
    """A core for the server and one for the generator. Raises SystemExit where there are none."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        raise SystemExit("processes cannot be held to cores here; run on Linux with taskset (util-linux)")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit(f"only core {cores[0]} may be used; the server and the generator need one each")
    return cores[0], cores[1]


def busy_percent(cores: Sequence[int], seconds: float) -> float:
    """How busy the busiest of ``cores`` is while this process sleeps: with whatever is none of its business."""
    busy = psutil.cpu_percent(interval=seconds, percpu=True)
    return max(float(busy[core]) for core in cores)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def pinned(core: int, command: Sequence[str], cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the command and all that it starts on one core; ends the whole group afterwards. Output goes to ``log``."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env=environment(),
        )  # fmt: skip
    try:
        yield process
    finally:
        _end(process)


def environment() -> dict[str, str]:
    """This process' environment with one thread for every library."""
    return os.environ | _ONE_THREAD


def _end(process: subprocess.Popen[bytes]) -> None:
    members = _tree(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(members, timeout=_STOP_S)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident_mib(pid: int) -> float:
    """Resident memory of a process and all that it started, in MiB."""
    total = 0
    for member in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_info().rss
    return total / 2**20


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits for START_S at most. Raises SystemExit with the end of the log where it ends or never gets ready."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"a server ended with {process.returncode}; its log {log} ends: {_end_of(log)}")
        if ready():
            return
        time.sleep(0.1)
    raise SystemExit(f"a server was not ready within {START_S:.0f} s; its log {log} ends: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def run_json(core: int, command: Sequence[str]) -> dict[str, float]:
    """Runs a command on a core and reads the JSON object that it prints."""
    done = subprocess.run(
        ["taskset", "-c", str(core), *command], cwd=ROOT, capture_output=True, text=True, check=True, env=environment()
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
