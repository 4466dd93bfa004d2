"""looks.jsonl, the ledger of a workspace: a line when a look is opened and a line when it has its outcome.

It is only ever added to, under a lock, and never begun anew: a look that is forgotten would be spent twice.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError
from evalkit.stats.spending import Spending

if TYPE_CHECKING:
    from pydantic import TypeAdapter

LEDGER = "looks.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What makes a look: these rows, this spec, this teacher and this student, each by digest or version."""

    held_out: str
    spec: str
    teacher: str
    student: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many looks were planned when one was opened, and the error that all of them may spend together."""

    planned: int
    spending: Spending
    confidence: float

    def __str__(self) -> str:
        return f"{self.planned} ({self.spending}, confidence {self.confidence:g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The line of a look that was begun. ``plan`` is None where none was stated."""

    event: Literal["opened"] = "opened"
    question: Question
    run: str
    at: str
    plan: Plan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The line of a look that gave its verdict."""

    event: Literal["decided"] = "decided"
    question: Question
    run: str
    at: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLook:
    """A look as the ledger has it. ``outcomes`` is empty where it never came to a verdict, and has more than one
    where the same question was answered differently when it was asked again (a new measurement of latency)."""

    number: int
    question: Question
    run: str
    opened_at: str
    plan: Plan | None
    outcomes: tuple[Outcome, ...]


@contextmanager
def held(workspace: Path) -> Iterator[FileIO]:
    """The ledger, locked; the kernel frees the lock when the process dies, however it dies."""
    path = workspace / LEDGER
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise RunFolderError(
            f"{path} cannot be read and added to ({error.strerror or error}); a look is counted before it is judged: "
            "mend that, or give another --run folder"
        ) from error


def past_looks(file: FileIO, path: Path, held_out: str) -> tuple[PastLook, ...]:
    """The looks at one held-out set, numbered in the order in which they were first opened."""
    opened: dict[Question, Opened] = {}
    outcomes: dict[Question, list[Outcome]] = {}
    for number, line in enumerate(_lines(file), start=1):
        event = _event(line)
        if isinstance(event, Opened):
            opened.setdefault(event.question, event)
        elif event is not None and event.question in opened:
            outcomes.setdefault(event.question, []).append(event.outcome)
        else:
            raise RunFolderError(
                f"{path} is damaged in line {number}; mend that line or restore the file: it is not begun anew, "
                "because the looks at its held-out sets would be forgotten"
            )
    here = [each for question, each in opened.items() if question.held_out == held_out]
    return tuple(
        PastLook(
            number=number,
            question=each.question,
            run=each.run,
            opened_at=each.at,
            plan=each.plan,
            outcomes=tuple(outcomes.get(each.question, ())),
        )
        for number, each in enumerate(here, start=1)
    )


def _lines(file: FileIO) -> list[bytes]:
    file.seek(0)
    content = file.readall() or b""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _event(line: bytes) -> Opened | Decided | None:
    try:
        return _adapter().validate_json(line)
    except ValueError:
        return None


@cache
def _adapter() -> TypeAdapter[Opened | Decided]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Opened | Decided, Field(discriminator="event")])


def append(file: FileIO, event: Opened | Decided) -> None:
    """Adds a line that outlives a power cut, or none of it. Raises OSError."""
    end = file.seek(0, os.SEEK_END)
    line = _adapter().dump_json(event) + b"\n"
    if end and _last_byte(file, end) != b"\n":
        line = b"\n" + line
    if file.write(line) != len(line):
        file.truncate(end)
        raise OSError("the disk took only part of a line; it is full")
    os.fsync(file.fileno())


def _last_byte(file: FileIO, end: int) -> bytes:
    file.seek(end - 1)
    return file.read(1)
