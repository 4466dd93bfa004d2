"""A worker of a run on several machines: it asks a master for a part, runs it here and hands back the record."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from evalkit.errors import EvalkitError
from loadtest import layout
from loadtest.crew import Process, crew, follow, start, wait_until_ready
from loadtest.errors import LoadTestError
from loadtest.plan import Plan, check_target, plan_from_json
from loadtest.remote.frames import FAILED, GO, HELLO, PART, PROGRESS, PROTOCOL, READY, RECORD, STOP, Frame, Line

CONNECT_S = 60.0
RETRY_S = 0.5


def run_part(place: tuple[str, int], *, i_own_this_target: bool, on_progress: Callable[[float], None]) -> str:
    """Run one part for the master at ``place``; returns the address that was loaded.

    The target is checked here too: a master cannot make this machine load somebody else's.

    Raises:
        LoadTestError: when no master answers, it goes away, or the generator fails.
        TargetRefusedError: when the target is not loopback and ``i_own_this_target`` is false.
    """
    line = Line(_called(place))
    try:
        line.send(Frame(HELLO, {"protocol": PROTOCOL}))
        part = line.expect(PART)
        with tempfile.TemporaryDirectory(prefix="evalkit-load-") as folder:
            return _run(line, part, Path(folder), i_own_this_target, on_progress)
    except OSError as error:
        raise LoadTestError(f"the master at {place[0]}:{place[1]} is gone ({error})") from error
    finally:
        line.close()


def _run(line: Line, part: Frame, folder: Path, owned: bool, on_progress: Callable[[float], None]) -> str:
    worker = int(part.fields["worker"])
    own = layout.worker_folder(folder, worker)
    own.mkdir()
    try:
        plan = plan_from_json(part.parts[layout.PLAN].decode())
        check_target(plan.url, owned)
        (folder / layout.PLAN).write_bytes(part.parts[layout.PLAN])
        (folder / layout.PAYLOADS).write_bytes(part.parts[layout.PAYLOADS])
        (own / layout.SCHEDULE).write_bytes(part.parts[layout.SCHEDULE])
        with crew(folder, {worker: None}) as processes:
            wait_until_ready(processes, folder)
            _together(line, processes, folder, plan, on_progress)
    except (EvalkitError, ValueError) as error:
        line.send(Frame(FAILED, {"message": str(error)}, _found(own)))
        raise
    line.send(Frame(RECORD, {}, _found(own)))
    return plan.url


def _together(
    line: Line, processes: dict[int, Process], folder: Path, plan: Plan, on_progress: Callable[[float], None]
) -> None:
    line.send(Frame(READY))
    go = line.expect(GO)
    start(processes, time.monotonic() + float(go.fields["lead_s"]))
    listening = threading.Thread(target=_stop_when_told, args=(line, processes), daemon=True)
    listening.start()

    def tell(share: float) -> None:
        line.send(Frame(PROGRESS, {"share": share}))
        on_progress(share)

    follow(processes, folder, plan, tell)


def _stop_when_told(line: Line, processes: dict[int, Process]) -> None:
    """Also where the master is gone: nobody would have the record."""
    with suppress(LoadTestError, ValueError):
        line.expect(STOP)
    for process in processes.values():
        if process.poll() is None:
            process.terminate()


def _found(own: Path) -> dict[str, bytes]:
    names = (layout.RECORD, layout.GENERATOR)
    return {name: (own / name).read_bytes() for name in names if (own / name).exists()}


def _called(place: tuple[str, int]) -> socket.socket:
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            sock = socket.create_connection(place, timeout=CONNECT_S)
        except OSError as error:
            if time.monotonic() > deadline:
                raise LoadTestError(
                    f"no master at {place[0]}:{place[1]} within {CONNECT_S:g} s ({error}); start evalkit load --master"
                ) from None
            time.sleep(RETRY_S)
        else:
            sock.settimeout(None)
            return sock
