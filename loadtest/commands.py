"""What a generator and whoever started it say to each other: one word, or a word and what belongs to it, a line."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.queue import Queue
from gevent.socket import wait_read

from loadtest.crew import GO, IDLE, READY, RUN

ORPHANED = 3  # exit status when stdin ended


class Parent:
    """Whoever started this process: commands come on stdin, answers go to stdout, and its end is this one's.

    ``interrupted`` is set by the first SIGTERM or SIGINT.
    """

    def __init__(self) -> None:
        self.interrupted = Event()
        self._lines: Queue[str] = Queue()
        gevent.signal_handler(signal.SIGTERM, self.interrupted.set)
        gevent.signal_handler(signal.SIGINT, self.interrupted.set)
        gevent.spawn(self._hear_or_die)

    def start_of_run(self) -> float:
        """Says that all is ready; the moment of ``time.monotonic()`` to begin at: now, where it was interrupted."""
        moment = self._told(READY, GO)
        return time.monotonic() if moment is None else float(moment)

    def next_folder(self) -> Path | None:
        """Says that nothing runs; the next folder to run, or None once it was interrupted."""
        folder = self._told(IDLE, RUN)
        return None if folder is None else Path(folder)

    def _told(self, said: str, command: str) -> str | None:
        """Answers with ``said``, and waits for what follows ``command``."""
        os.write(1, f"{said}\n".encode())
        hearing = gevent.spawn(self._lines.get)
        gevent.wait([hearing, self.interrupted], count=1)
        if not hearing.ready():
            hearing.kill()
            return None
        line: str = hearing.value
        if not line.startswith(f"{command} "):
            raise ValueError(f"said {line!r}; {command} was expected")
        return line.removeprefix(f"{command} ")

    def _hear_or_die(self) -> None:
        said = b""
        while True:
            wait_read(0)
            heard = os.read(0, 4096)
            if not heard:
                os._exit(ORPHANED)
            *lines, said = (said + heard).split(b"\n")
            for line in lines:
                self._lines.put(os.fsdecode(line))
