"""The one clock of a run, and being on time by it."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub

# The event loop's own timers count whole milliseconds (libev over epoll). So wake that much early ...
WAKE_EARLY_S = 1e-3
# ... and poll the rest, which lets other greenlets run meanwhile.
_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK, _TFD_CLOEXEC, _TFD_TIMER_ABSTIME = os.O_NONBLOCK, 0o2000000, 1
_READ = 1


class RunClock:
    """Seconds since the start of the run, on the monotonic clock: a step of the wall clock changes nothing.

    ``start`` is a moment of ``time.monotonic()``, which all processes of one machine share.
    """

    def __init__(self, start: float) -> None:
        self.start = start

    def now(self) -> float:
        return time.monotonic() - self.start


class Alarm:
    """Lets one greenlet sleep until a moment of the run's clock, while the others go on."""

    def __init__(self, clock: RunClock) -> None:
        self._clock = clock
        self._timer = _KernelTimer() if sys.platform == "linux" else None

    def wait_until(self, due_s: float) -> None:
        """Return once ``due_s`` has come. Where it has passed, the others still get one turn."""
        due = due_s + self._clock.start
        remaining_s = due - time.monotonic()
        if remaining_s <= 0:
            gevent.sleep(0)
        elif self._timer is not None:
            self._timer.wait_until(due)
        else:
            gevent.sleep(max(0.0, remaining_s - WAKE_EARLY_S))
            while time.monotonic() < due:
                gevent.sleep(0)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.close()


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class _KernelTimer:
    """Linux' timerfd: exact to microseconds under any event loop, and no core is kept busy meanwhile."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._set: Callable[..., int] = libc.timerfd_settime
        self._spec = _TimerSpec()
        self._value = self._spec.value
        self._reference = ctypes.byref(self._spec)
        self._hub: Any = get_hub()
        self._watcher: Any = self._hub.loop.io(self._file, _READ)

    def wait_until(self, due: float) -> None:
        seconds = int(due)
        self._value.seconds = seconds
        self._value.nanoseconds = int((due - seconds) * 1e9)
        # setting it anew also makes it unreadable
        self._set(self._file, _TFD_TIMER_ABSTIME, self._reference, None)
        self._hub.wait(self._watcher)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._file)
