"""The master of a run on several machines: it makes the schedule, hands out the parts and merges the records.

Clocks of different machines are never compared. Each worker counts from its own start, which is a fixed
time after it heard "go"; so every latency is taken on one clock, and only the phase between workers is
off, by the difference in how long "go" travelled. Independent Poisson parts make the same Poisson process
whatever their phase; of constant or replayed arrivals the gaps are off by that difference.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loadtest import layout
from loadtest.crew import GRACE_S, STARTUP_S, WRITING_S, Progress
from loadtest.errors import LoadTestError
from loadtest.plan import Plan
from loadtest.remote.frames import GO, HELLO, PART, PROGRESS, PROTOCOL, READY, RECORD, STOP, Frame, Line

JOIN_S = 600.0
POLL_S = 0.25
LEAD_S = 0.5  # longer than "go" takes to any worker

OnJoined = Callable[[int, str], None]


def run_remote(
    plan: Plan,
    folder: Path,
    workers: int,
    place: tuple[str, int],
    *,
    on_progress: Progress,
    on_joined: OnJoined,
) -> None:
    """Wait for ``workers`` workers at ``place`` and let them run the parts laid out in ``folder``.

    ``on_joined`` hears the number of those that have come, and the last one's address. An interrupt stops
    all of them, and keeps what they had measured.

    Raises:
        LoadTestError: when too few join in time, or one fails or is lost; the others are then stopped.
    """
    lines = _joined(place, workers, on_joined)
    try:
        _Session(plan, folder, lines, on_progress).run()
    finally:
        for line in lines:
            line.close()


def _joined(place: tuple[str, int], workers: int, on_joined: OnJoined) -> list[Line]:
    lines: list[Line] = []
    deadline = time.monotonic() + JOIN_S
    try:
        listener = socket.create_server(place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
    except OSError as error:
        raise LoadTestError(
            f"cannot listen at {place[0]}:{place[1]} ({error}); give an address of this machine"
        ) from None
    try:
        with listener:
            listener.settimeout(POLL_S)
            while len(lines) < workers:
                if time.monotonic() > deadline:
                    raise LoadTestError(
                        f"{len(lines)} of {workers} workers joined within {JOIN_S:g} s; start the others"
                    )
                try:
                    sock, (host, *_) = listener.accept()
                except TimeoutError:
                    continue
                if line := _welcomed(sock):
                    lines.append(line)
                    on_joined(len(lines), host)
    except BaseException:
        for line in lines:
            line.close()
        raise
    return lines


def _welcomed(sock: socket.socket) -> Line | None:
    """The line to a worker; None where a stranger has called."""
    sock.settimeout(STARTUP_S)
    line = Line(sock)
    try:
        if line.expect(HELLO).fields.get("protocol") == PROTOCOL:
            return line
    except LoadTestError:
        pass
    line.close()
    return None


class _Session:
    """One thread a worker; all wait for each other before the start."""

    def __init__(self, plan: Plan, folder: Path, lines: list[Line], on_progress: Progress) -> None:
        self._plan, self._folder, self._lines, self._on_progress = plan, folder, lines, on_progress
        self._all_ready = threading.Barrier(len(lines))
        self._shares = [0.0] * len(lines)

    def run(self) -> None:
        with ThreadPoolExecutor(len(self._lines)) as threads:
            parts = [threads.submit(self._part, worker) for worker in range(len(self._lines))]
            try:
                while not all(part.done() for part in parts):
                    if any(part.done() and part.exception() for part in parts):
                        self._stop()
                        break
                    self._on_progress(min(self._shares))
                    time.sleep(POLL_S)
            except BaseException:
                self._stop()
                raise
        errors = [error for part in parts if (error := part.exception())]
        first = next((error for error in errors if not isinstance(error, threading.BrokenBarrierError)), None)
        if errors:
            raise first or LoadTestError(f"not every worker was ready within {2 * STARTUP_S:g} s")

    def _part(self, worker: int) -> None:
        line = self._lines[worker]
        line.patience(self._allowed_s)
        try:
            line.send(self._handed_out(worker))
            line.expect(READY)
            self._all_ready.wait(STARTUP_S * 2)
            line.send(Frame(GO, {"lead_s": LEAD_S}))
            while (frame := line.receive()).kind == PROGRESS:
                self._shares[worker] = float(frame.fields["share"])
            self._keep(worker, frame)
        except LoadTestError as error:
            raise LoadTestError(f"worker {worker}: {error}") from error
        except OSError as error:
            raise LoadTestError(f"worker {worker} is lost ({error})") from error
        finally:
            if not self._shares[worker]:
                self._all_ready.abort()

    def _handed_out(self, worker: int) -> Frame:
        own = layout.worker_folder(self._folder, worker)
        return Frame(
            PART,
            {"worker": worker},
            {
                layout.PLAN: (self._folder / layout.PLAN).read_bytes(),
                layout.PAYLOADS: (self._folder / layout.PAYLOADS).read_bytes(),
                layout.SCHEDULE: (own / layout.SCHEDULE).read_bytes(),
            },
        )

    @property
    def _allowed_s(self) -> float:
        return LEAD_S + self._plan.warmup_s + self._plan.duration_s + self._plan.timeout_s + WRITING_S

    def _keep(self, worker: int, frame: Frame) -> None:
        own = layout.worker_folder(self._folder, worker)
        for name in (layout.RECORD, layout.GENERATOR):
            if name in frame.parts:
                (own / name).write_bytes(frame.parts[name])
        if frame.kind != RECORD:
            raise LoadTestError(str(frame.fields.get("message", f"said {frame.kind!r}")))

    def _stop(self) -> None:
        self._all_ready.abort()
        for line in self._lines:
            try:
                line.send(Frame(STOP))
                line.patience(GRACE_S * 2)
            except OSError:
                continue
