"""A person's answer in place of the verdict: a record of its own beside the first, which is never changed.

RUN/overrides/0001.json, 0002.json …: each says who, when, why, and of which verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evalkit.decision.verdict import Outcome
from evalkit.errors import RunFolderError
from evalkit.record.layout import RunFolder, locked, utc_now, write_json
from evalkit.record.run_record import read_record
from evalkit.record.stages import file_digest

FOLDER = "overrides"
NAME = re.compile(r"[0-9]{4,}\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One override as it is written. ``of_verdict_sha256`` is of verdict.json's bytes."""

    outcome: Outcome
    reason: str
    by: str
    at: str
    of_verdict_sha256: str
    of_outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One override as it is read. It is ``stale`` when the run has another verdict since: it then says nothing."""

    number: int
    statement: Statement
    stale: bool


def write_override(root: Path, outcome: Outcome, reason: str, by: str) -> Override:
    """Writes the next override of a finished run.

    Raises ValueError for an empty reason or name. Raises RunFolderError for a run that is unfinished, in use, or has
    this outcome already, by its verdict or by the last override that is not stale.
    """
    for name, text in (("reason", reason), ("by", by)):
        if not text.strip():
            raise ValueError(f"--{name} is empty; an override says why and who answers for it")
    read_record(root)  # before the lock, which would make a folder where there is none
    run = RunFolder(root)
    with locked(run):
        first = read_record(root).verdict.outcome
        earlier = read_overrides(root)
        standing = standing_outcome(first, earlier)
        if outcome is standing:
            raise RunFolderError(f"the outcome of {root} is {standing} already; there is nothing to override")
        statement = Statement(
            outcome=outcome,
            reason=reason.strip(),
            by=by.strip(),
            at=utc_now(),
            of_verdict_sha256=file_digest(run.verdict),
            of_outcome=first,
        )
        number = max((each.number for each in earlier), default=0) + 1
        _write(root, number, statement)
    return Override(number=number, statement=statement, stale=False)


def read_overrides(root: Path) -> tuple[Override, ...]:
    """Every override of a run, in the order of their numbers. Raises RunFolderError for a damaged one."""
    folder, verdict = root / FOLDER, RunFolder(root).verdict
    if not folder.is_dir():
        return ()
    present = file_digest(verdict) if verdict.is_file() else None
    found = [
        Override(number=int(path.stem), statement=statement, stale=statement.of_verdict_sha256 != present)
        for path in folder.iterdir()
        if NAME.fullmatch(path.name)
        for statement in (_read(path),)
    ]
    return tuple(sorted(found, key=lambda each: each.number))


def standing_outcome(verdict: Outcome, overrides: tuple[Override, ...]) -> Outcome:
    """The outcome that holds: of the last override that is not stale, or the verdict's own."""
    holding = [each.statement.outcome for each in overrides if not each.stale]
    return holding[-1] if holding else verdict


def override_path(root: Path, number: int) -> Path:
    """Where an override lies."""
    return root / FOLDER / f"{number:04d}.json"


def _write(root: Path, number: int, statement: Statement) -> None:
    from pydantic import TypeAdapter

    path = override_path(root, number)
    path.parent.mkdir(exist_ok=True)
    write_json(path, TypeAdapter(Statement).dump_python(statement, mode="json"))


def _read(path: Path) -> Statement:
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(Statement).validate_json(path.read_bytes())
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged; restore it, or remove it to override anew") from error
