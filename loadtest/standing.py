"""One generator for many short runs, one after the other: it starts up once."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest import layout
from loadtest.crew import (
    GO,
    IDLE,
    LEAD_S,
    POLL_S,
    READY,
    RUN,
    STARTUP_S,
    STAY,
    Process,
    allowed_for_s,
    crew,
    failure,
    say,
)
from loadtest.errors import LoadTestError
from loadtest.plan import Plan


class StandingGenerator:
    """A generator that stays between runs. ``folder`` holds its log."""

    def __init__(self, process: Process, folder: Path) -> None:
        self._process, self._folder = process, folder
        self._heard = b""
        self._until(IDLE, STARTUP_S)

    def run(self, plan: Plan, folder: Path) -> None:
        """Run the one part laid out in ``folder`` (``run.run_prepared`` does, and merges what this leaves there).

        Raises:
            InputError: when the generator finds that the run cannot be made.
            LoadTestError: when it fails, with the end of its log, or does not end in time. It is of no use then.
        """
        say(self._process, f"{RUN} {folder.resolve()}")
        self._until(READY, STARTUP_S)
        say(self._process, f"{GO} {time.monotonic() + LEAD_S!r}")
        self._until(IDLE, allowed_for_s(plan))

    def _until(self, word: str, allowed_s: float) -> None:
        """Returns when it has said ``word``; what it says of its progress is passed over."""
        assert self._process.stdout is not None
        deadline, output = time.monotonic() + allowed_s, self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if not selector.select(POLL_S):
                    continue
                heard = os.read(output, 4096)
                if not heard:
                    raise failure(self._folder, 0, self._process.wait())
                *lines, self._heard = (self._heard + heard).split(b"\n")
                if word.encode() in lines:
                    return
        raise LoadTestError(f"a load generator did not say {word!r} within {allowed_s:g} s and was killed")


@contextmanager
def standing_generator(folder: Path, core: int | None = None) -> Iterator[StandingGenerator]:
    """A generator on ``core`` (None: wherever the system likes) that is gone when the block is left.

    Its log lies in ``folder``. Raises LoadTestError when it does not start.
    """
    layout.worker_folder(folder, 0).mkdir(parents=True, exist_ok=True)
    with crew(folder, {0: core}, STAY) as processes:
        yield StandingGenerator(processes[0], folder)
