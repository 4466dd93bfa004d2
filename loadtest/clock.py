"""The one clock of a run, and being on time by it."""

from __future__ import annotations

import time

import gevent

# A timer wakes its greenlet about 0.1 ms late (kernel timer slack, then the scheduler). So ask to be
# woken that much early and spin the rest: at most 0.1 ms of CPU a request.
WAKE_EARLY_S = 1e-4


class RunClock:
    """Seconds since the start of the run, which lies ``lead_s`` ahead when the clock is made."""

    def __init__(self, lead_s: float) -> None:
        self._start = time.perf_counter() + lead_s

    def now(self) -> float:
        return time.perf_counter() - self._start

    def wait_until(self, due_s: float) -> None:
        """Let other greenlets run until ``due_s``; return at once when that has passed."""
        while (remaining_s := due_s - self.now()) > WAKE_EARLY_S:
            gevent.sleep(remaining_s - WAKE_EARLY_S)
        while self.now() < due_s:
            pass
