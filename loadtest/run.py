"""Run a plan in a generator process of its own and wait for its samples."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest import layout
from loadtest.errors import LoadTestError
from loadtest.payloads import write_payloads
from loadtest.plan import Plan, plan_to_json

STARTUP_S = 60.0  # importing Locust on a busy machine
WRITING_S = 60.0  # from the last answer to the last file
LOG_LINES = 20
POLL_S = 0.5

Progress = Callable[[float], None]


def run_plan(
    plan: Plan,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    folder: Path,
    *,
    core: int | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Send the plan's load and return the path of the raw samples.

    The generator is another process, so that gevent's patches never touch the caller. It is gone when
    this function returns or raises, whatever the reason. ``on_progress`` is called with the fraction
    of the schedule that has passed, from 0 to 1.

    Raises:
        LoadTestError: when the generator fails, with the end of its log, or does not end in time.
        ValueError: when texts and labels do not pair up, or ``core`` is not one this process may use.
    """
    _check_core(core)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / layout.SAMPLES).unlink(missing_ok=True)
    (folder / layout.GENERATOR).unlink(missing_ok=True)
    (folder / layout.PLAN).write_text(plan_to_json(plan), encoding="utf-8")
    write_payloads(folder / layout.PAYLOADS, texts, expected_labels)
    with _generator(folder, core) as process:
        _wait(process, plan, on_progress or _ignore)
    if process.returncode != 0 or not (folder / layout.GENERATOR).exists():
        raise LoadTestError(_failure(folder, process.returncode))
    return folder / layout.SAMPLES


@contextmanager
def _generator(folder: Path, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A generator in its own session, so that all of it can be killed and no terminal signal reaches it."""
    command = [sys.executable, "-P", "-m", "loadtest.generator", str(folder)]
    if core is not None:
        command += ["--core", str(core)]
    with (
        (folder / layout.LOG).open("wb") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], plan: Plan, on_progress: Progress) -> None:
    """Pass on the generator's progress until it ends, within a bounded time."""
    allowed_s = STARTUP_S + plan.warmup_s + plan.duration_s + plan.timeout_s + WRITING_S
    deadline = time.monotonic() + allowed_s
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(POLL_S):
                continue
            output = os.read(process.stdout.fileno(), 4096)
            if not output:
                break
            if output.endswith(b"\n"):
                on_progress(float(output.split()[-1]))
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise LoadTestError(f"the load generator did not end within {allowed_s:g} s and was killed") from None


def _environment() -> dict[str, str]:
    """The caller's environment, in which the child finds this very package."""
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{inherited}" if inherited else root}


def _check_core(core: int | None) -> None:
    usable = os.sched_getaffinity(0)
    if core is not None and core not in usable:
        raise ValueError(f"core is {core}; this process may use {sorted(usable)}")


def _failure(folder: Path, returncode: int) -> str:
    log = (folder / layout.LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"the load generator ended with status {returncode}", *log[-LOG_LINES:]])


def _ignore(_: float) -> None:
    pass
