"""The generator processes of one run on this machine: started, ready, gone together, and never left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from loadtest import layout
from loadtest.errors import InputError, LoadTestError
from loadtest.plan import Plan

STARTUP_S = 60.0  # importing Locust on a busy machine
LEAD_S = 0.3  # from "go" to the start: Locust's users are up well before the first send
WRITING_S = 60.0  # from the last answer to the last file
GRACE_S = 15.0  # for a generator that was asked to stop
LOG_LINES = 20
REFUSED = 2  # a generator's exit status where its input is at fault; it says so in its last line
POLL_S = 0.5
READY, GO, IDLE, RUN = "ready", "go", "idle", "run"  # what a generator says, and is told
STAY = "--stay"

Progress = Callable[[float], None]
Process = subprocess.Popen[bytes]


def run_crew(plan: Plan, folder: Path, cores: Sequence[int | None], on_progress: Progress) -> None:
    """Run one generator a core (None: wherever the system likes) over the parts laid out in ``folder``.

    All are gone when this returns or raises. When it is interrupted they may finish writing first.

    Raises:
        InputError: when a generator finds that the run cannot be made, as for a host without an address.
        LoadTestError: when one fails, with the end of its log, or does not end in time.
    """
    with crew(folder, dict(enumerate(cores))) as processes:
        wait_until_ready(processes, folder)
        start(processes, time.monotonic() + LEAD_S)
        follow(processes, folder, plan, on_progress)


@contextmanager
def crew(folder: Path, cores: dict[int, int | None], *options: str) -> Iterator[dict[int, Process]]:
    """A generator a worker, each in its own session: no terminal signal reaches it, and all of it can be killed.

    ``options`` are further ones of each generator's command line.
    """
    processes: dict[int, Process] = {}
    try:
        for worker, core in cores.items():
            processes[worker] = _started(folder, worker, core, options)
        yield processes
    except BaseException:
        _ask_to_stop(processes.values())
        raise
    finally:
        for process in processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                _close(stream)


def wait_until_ready(processes: dict[int, Process], folder: Path) -> None:
    """Return when every generator has read its part and awaits the start."""
    deadline = time.monotonic() + STARTUP_S
    with _outputs(processes) as selector:
        waiting = set(processes)
        while waiting:
            if time.monotonic() > deadline:
                raise LoadTestError(f"a load generator was not ready within {STARTUP_S:g} s and was killed")
            for worker, output in _read(selector):
                if not output:
                    raise failure(folder, worker, processes[worker].wait())
                waiting.discard(worker)


def start(processes: dict[int, Process], moment: float) -> None:
    """Let all begin at ``moment`` of ``time.monotonic()``."""
    for process in processes.values():
        say(process, f"{GO} {moment!r}")


def say(process: Process, line: str) -> None:
    """Tell one generator something."""
    assert process.stdin is not None
    process.stdin.write(os.fsencode(f"{line}\n"))
    process.stdin.flush()


def follow(processes: dict[int, Process], folder: Path, plan: Plan, on_progress: Progress) -> None:
    """Pass on the slowest generator's progress until all end, within a bounded time."""
    allowed_s = allowed_for_s(plan)
    deadline = time.monotonic() + allowed_s
    shares = dict.fromkeys(processes, 0.0)
    with _outputs(processes) as selector:
        running = set(processes)
        while running:
            if time.monotonic() > deadline:
                raise LoadTestError(f"a load generator did not end within {allowed_s:g} s and was killed")
            for worker, output in _read(selector):
                if output:
                    shares[worker] = float(output.split()[-1])
                    continue
                running.discard(worker)
                selector.unregister(_stdout(processes[worker]))
                if code := processes[worker].wait():
                    raise failure(folder, worker, code)
            if running:
                on_progress(min(shares.values()))


def allowed_for_s(plan: Plan) -> float:
    """From the start of a run to the last file of its generators, at most."""
    return plan.warmup_s + plan.duration_s + plan.timeout_s + WRITING_S


def _started(folder: Path, worker: int, core: int | None, options: Sequence[str]) -> Process:
    command = [sys.executable, "-P", "-m", "loadtest.generator", str(folder), "--worker", str(worker), *options]
    if core is not None:
        command += ["--core", str(core)]
    with (layout.worker_folder(folder, worker) / layout.LOG).open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )


def _ask_to_stop(processes: Iterable[Process]) -> None:
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    for process in alive:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def _outputs(processes: dict[int, Process]) -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        for worker, process in processes.items():
            selector.register(_stdout(process), selectors.EVENT_READ, worker)
        yield selector


def _read(selector: selectors.BaseSelector) -> list[tuple[int, bytes]]:
    return [(key.data, os.read(key.fd, 4096)) for key, _ in selector.select(POLL_S)]


def _stdout(process: Process) -> int:
    assert process.stdout is not None
    return process.stdout.fileno()


def _environment() -> dict[str, str]:
    """The caller's environment, in which the child finds this very package."""
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{inherited}" if inherited else root}


def failure(folder: Path, worker: int, returncode: int) -> EvalkitError:
    """Why a generator ended with ``returncode``, from its log."""
    path = layout.worker_folder(folder, worker) / layout.LOG
    log = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if returncode == REFUSED and log:
        return InputError(log[-1])
    return LoadTestError("\n".join([f"the load generator ended with status {returncode}", *log[-LOG_LINES:]]))


def _close(stream: Any) -> None:
    with suppress(BrokenPipeError):
        stream.close()
