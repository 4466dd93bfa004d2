"""A disk that does not take what is written (full, over its quota, read-only), in whatever words a library says so."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import EvalkitError, StageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
DENIED = {errno.EACCES, errno.EPERM}
_NUMBER = re.compile(r"\b(?:os error|errno) (\d+)\b", re.IGNORECASE)
_CUT_SHORT = re.compile(r"^\d+ requested and \d+ written$")
_DATABASE = re.compile(r"disk is full|disk I/O error|readonly database|unable to open database")


def refusal(error: BaseException, numbers: frozenset[int] | set[int] = frozenset(FULL)) -> str | None:
    """What the system said, where ``error`` or one that it comes from is a write that was refused for one of the
    ``numbers`` (errno); None for every other error.

    >>> refusal(OSError(errno.ENOSPC, "No space left on device"))
    'No space left on device'
    >>> refusal(RuntimeError("I/O error: No space left on device (os error 28)"))
    'No space left on device'
    >>> refusal(ValueError("no")) is None
    True
    """
    at: BaseException | None = error
    while at is not None:
        number = _number(at)
        if number in numbers:
            return os.strerror(number)
        if isinstance(at, sqlite3.Error) and _DATABASE.search(str(at)):
            return str(at)
        if isinstance(at, OSError) and _CUT_SHORT.match(str(at)):  # numpy, which asks the system for no reason
            return f"bytes: {at}"
        at = at.__cause__ or at.__context__
    return None


def _number(error: BaseException) -> int:
    """The system's number for an error, 0 where there is none. Libraries in Rust and C++ give it in words alone."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    named = _NUMBER.search(str(error))
    return int(named.group(1)) if named else 0


@contextmanager
def written(what: Path | str) -> Iterator[None]:
    """Around writes alone. Raises StageError where one is refused; every other error stays what it is."""
    try:
        yield
    except EvalkitError:
        raise
    except Exception as error:  # each library raises a kind of its own, tokenizers Exception itself
        said = refusal(error, FULL | DENIED)
        if said is None:
            raise
        raise unwritable(what, said) from error


def unwritable(what: Path | str, said: str) -> StageError:
    """The one line that says it."""
    return StageError(
        f"{what} could not be written ({said}); is the disk full or read-only? Make room and start again: what is "
        "finished is kept"
    )
