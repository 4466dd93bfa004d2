"""A stage runs once for one content key; a killed run finds what was finished."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.disk import refusal, unwritable
from evalkit.errors import EvalkitError, StageError
from evalkit.record.layout import RunFolder, utc_now, write_json

FINISHED = "stage.json"
KEY_LENGTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """Where a finished stage's artefacts lie, and whether they were already there."""

    name: str
    key: str
    folder: Path
    seconds: float
    finished_at: str
    reused: bool

    def read(self, file: str) -> Any:
        """A JSON artefact of the stage."""
        return json.loads((self.folder / file).read_text(encoding="utf-8"))


def content_key(name: str, version: int, inputs: Mapping[str, Any]) -> str:
    """One key for one stage version and one set of inputs (digests, parts of the spec)."""
    text = json.dumps({"stage": name, "version": version, "inputs": inputs}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def is_finished(run: RunFolder, name: str, version: int, inputs: Mapping[str, Any]) -> bool:
    """Whether ``run_stage`` would find the stage finished, here or in a run beside this one."""
    key = content_key(name, version, inputs)
    return (run.stage(name, key) / FINISHED).is_file() or _beside(run, name, key) is not None


def run_stage(
    run: RunFolder, name: str, version: int, inputs: Mapping[str, Any], work: Callable[[Path], None]
) -> StageResult:
    """Finds the stage finished, here or in a run beside this one, or does its ``work`` in an empty folder.

    ``work`` writes into a folder of its own that is renamed once stage.json is in it, so that what stands
    under a key is always whole.
    """
    key = content_key(name, version, inputs)
    folder = run.stage(name, key)
    if not (folder / FINISHED).is_file():
        elsewhere = _beside(run, name, key)
        if elsewhere is None:
            return _do(name, key, inputs, folder, work)
        _adopt(elsewhere, folder)
    finished = json.loads((folder / FINISHED).read_text())
    return StageResult(
        name=name,
        key=key,
        folder=folder,
        seconds=finished["seconds"],
        finished_at=finished["finished_at"],
        reused=True,
    )


def _do(name: str, key: str, inputs: Mapping[str, Any], folder: Path, work: Callable[[Path], None]) -> StageResult:
    started = time.monotonic()
    unfinished = folder.with_name(f".{key}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _room_given_back(name, unfinished):
        unfinished.mkdir(parents=True)
        work(unfinished)
        seconds = round(time.monotonic() - started, 3)
        finished_at = utc_now()
        write_json(
            unfinished / FINISHED,
            {"stage": name, "key": key, "inputs": inputs, "seconds": seconds, "finished_at": finished_at},
        )
    _put_in_place(unfinished, folder)
    return StageResult(name=name, key=key, folder=folder, seconds=seconds, finished_at=finished_at, reused=False)


@contextmanager
def _room_given_back(name: str, unfinished: Path) -> Iterator[None]:
    """Raises StageError where the disk does not take what the stage writes, and removes what it took."""
    try:
        yield
    except Exception as error:
        said = refusal(error)
        if said is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
        if said is None or isinstance(error, EvalkitError):
            raise
        raise unwritable(f"stage {name}", said) from error


def _beside(run: RunFolder, name: str, key: str) -> Path | None:
    """The same stage finished under the same key in a neighbouring run folder."""
    for other in sorted(run.root.parent.glob(f"*/stages/{name}/{key}/{FINISHED}")):
        return other.parent
    return None


def _adopt(finished: Path, folder: Path) -> None:
    """Takes over a neighbour's artefacts as hard links (copies across file systems): they never change."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(finished, unfinished, copy_function=_link)
    _put_in_place(unfinished, folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _put_in_place(unfinished: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        unfinished.rename(folder)
    except OSError as error:
        raise StageError(f"{folder} could not be put in place ({error}); is the disk full or read-only?") from error


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """sha256 over the names and digests of a folder's files, whatever order they were written in."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {file_digest(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
