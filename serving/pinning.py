"""Keeps a process on one processor core."""

from __future__ import annotations

import os

from serving.errors import ListenError


def pin(core: int | None) -> int | None:
    """Pin this process, threads to come included; returns the core, or None where the system cannot.

    Raises:
        ListenError: the process may not use the core.
    """
    if core is None or not hasattr(os, "sched_setaffinity"):
        return None
    try:
        os.sched_setaffinity(0, {core})
    except (OSError, ValueError, OverflowError) as error:
        allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise ListenError(f"core {core} cannot be used; this process may use cores {allowed}") from error
    return core
