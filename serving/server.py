"""Runs the server as one process: bind, pin, load, serve, drain."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

from serving.errors import ListenError, ServingError
from serving.listen import bind
from serving.settings import ServerSettings

EXIT_OK = 0
EXIT_NOT_DRAINED = 1
EXIT_USAGE = 2
EXIT_PARENT_GONE = 4


def serve(folder: Path, settings: ServerSettings, *, core: int | None, stop_on_stdin_eof: bool) -> int:
    """Serve a model folder until a stop signal; returns the exit status.

    The port is taken first, so that a port in use is said at once; one JSON line on stdout says when the
    server answers. SIGTERM and SIGINT let accepted requests finish.

    Args:
        folder: the model folder.
        settings: see `ServerSettings`.
        core: processor to pin the whole process to, where the system can.
        stop_on_stdin_eof: end at once when stdin closes, so that the server dies with a killed parent.

    Returns:
        0 after a clean drain, 2 if it could not start (one line on stderr says why). The process ends itself
        with status 1 if accepted requests were not answered in time, and with 4 once stdin closed.
    """
    try:
        with bind(settings.host, settings.port) as listener:
            pinned = _pin(core)
            if stop_on_stdin_eof:
                threading.Thread(target=_exit_on_stdin_eof, daemon=True, name="stdin-eof").start()
            # One text is tokenised at a time and `threads` bounds the compute: no pool of tokenizer threads.
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            from serving.running import run_until_stopped  # heavy imports, only once the port is ours

            drained = run_until_stopped(listener, folder, settings, pinned_core=pinned)
    except ServingError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return EXIT_USAGE
    if not drained:
        _give_up()
    return EXIT_OK


def _give_up() -> NoReturn:
    """End the process although a batch still computes: waiting for its thread could take for ever."""
    sys.stderr.write("stopped before every accepted request was answered; raise --drain-s to wait longer\n")
    sys.stderr.flush()
    os._exit(EXIT_NOT_DRAINED)


def _pin(core: int | None) -> int | None:
    """Pin this process, threads to come included; returns the core, or None where the system cannot."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return None
    try:
        os.sched_setaffinity(0, {core})
    except (OSError, ValueError, OverflowError) as error:
        allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ListenError(f"core {core} cannot be used; this process may use cores {allowed}") from error
    return core


def _exit_on_stdin_eof() -> None:
    # os.read, not sys.stdin: a thread blocked on the latter holds a lock the interpreter's exit wants.
    while os.read(0, 4096):
        pass
    os._exit(EXIT_PARENT_GONE)
