"""The access log: one JSON line for every request, written whole by each worker."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import orjson

from serving.settings import STDERR, SettingsError

_STDERR_DESCRIPTOR = 2
_log = logging.getLogger("serving")


class AccessLog:
    """Appends lines to a descriptor. A line that cannot be written is lost, and said once until one can again."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._failing = False

    @classmethod
    def opened(cls, path: Path) -> AccessLog:
        """The log at a path, or on stderr for `-`; several processes may append to the same file.

        Raises:
            SettingsError: the file cannot be opened.
        """
        if path == STDERR:
            return cls(_STDERR_DESCRIPTOR)
        try:
            return cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640))
        except OSError as error:
            raise SettingsError(f"access_log {path} cannot be opened ({error.strerror}); give another file") from error

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line: the time, then `entry`."""
        stamped = {"time": _timestamp(), **entry}
        try:
            os.write(self._descriptor, orjson.dumps(stamped, option=orjson.OPT_APPEND_NEWLINE))
            self._failing = False
        except OSError as error:
            if not self._failing:
                _log.error("the access log cannot be written (%s); lines are lost", error)
            self._failing = True

    def close(self) -> None:
        """Close the file; stderr stays open."""
        if self._descriptor != _STDERR_DESCRIPTOR:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)


def _timestamp() -> str:
    """UTC, in ISO 8601 with milliseconds."""
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1_000):03d}Z"
