"""A disk that is full: for this process by a limit on how large a file may grow, and for a command by a small tmpfs."""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """The real write fails with EFBIG once a file of this process is ``size`` bytes long."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def can_mount() -> bool:
    """Whether a user may mount a tmpfs in a namespace of his own here."""
    try:
        done = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0
