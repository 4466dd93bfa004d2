"""Runs the server: bind, pin, load, serve, drain; as one process, or as a supervisor of several."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from serving.errors import ServingError
from serving.keys import Keys, read_keys
from serving.listen import bind
from serving.pinning import pin
from serving.settings import ServerSettings, SettingsError
from serving.tls import check_tls

EXIT_OK = 0
EXIT_NOT_DRAINED = 1
EXIT_USAGE = 2
EXIT_PARENT_GONE = 4


def serve(folder: Path, settings: ServerSettings, *, cores: Sequence[int], stop_on_stdin_eof: bool) -> int:
    """Serve a model folder until a stop signal; returns the exit status.

    The port is taken first, so that a port in use is said at once; one JSON line on stdout says when the
    server answers. SIGTERM and SIGINT let accepted requests finish.

    Args:
        folder: the model folder.
        settings: see `ServerSettings`.
        cores: processors to pin to, where the system can: worker i to the i-th; none: to no core.
        stop_on_stdin_eof: end at once when stdin closes, so that the server dies with a killed parent.

    Returns:
        0 after a clean drain, 2 if it could not start (one line on stderr says why). The process ends itself
        with status 1 if accepted requests were not answered in time, and with 4 once stdin closed.
    """
    try:
        with bind(settings.host, settings.port) as listener:
            keys = _checked(settings)
            if stop_on_stdin_eof:
                threading.Thread(target=_exit_on_stdin_eof, daemon=True, name="stdin-eof").start()
            # One text is tokenised at a time and `threads` bounds the compute: no pool of tokenizer threads.
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            drained = _run(listener, folder, settings, keys, cores)
    except ServingError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return EXIT_USAGE
    if not drained:
        _give_up()
    return EXIT_OK


def _checked(settings: ServerSettings) -> Keys:
    """The keys, once all files that the settings name can be used."""
    check_tls(settings)
    if settings.model_root is not None and not settings.model_root.is_dir():
        raise SettingsError(f"model_root {settings.model_root} is no folder; give one that holds model folders")
    return read_keys(settings, os.environ)


def _run(listener: socket.socket, folder: Path, settings: ServerSettings, keys: Keys, cores: Sequence[int]) -> bool:
    """Imports what is heavy only once the port is ours, and only where it is needed."""
    if settings.workers > 1:
        from serving.supervisor import Supervisor

        async def supervise() -> bool:
            return await Supervisor(listener, folder, settings, keys, cores).run()

        return asyncio.run(supervise())
    pinned = pin(cores[0] if cores else None)
    from serving.running import run_until_stopped

    return run_until_stopped(listener, folder, settings, keys, pinned_core=pinned)


def _give_up() -> NoReturn:
    """End the process although a batch still computes: waiting for its thread could take for ever."""
    sys.stderr.write("stopped before every accepted request was answered; raise --drain-s to wait longer\n")
    sys.stderr.flush()
    os._exit(EXIT_NOT_DRAINED)


def _exit_on_stdin_eof() -> None:
    # os.read, not sys.stdin: a thread blocked on the latter holds a lock the interpreter's exit wants.
    while os.read(0, 4096):
        pass
    os._exit(EXIT_PARENT_GONE)
