"""The run folder: whose spec it answers, who works in it, and where each thing lies.

RUN/spec.json              the spec as read, its digest, and when it was recorded: before anything else
RUN/stages/NAME/KEY/       the artefacts of one stage under its content key; stage.json says finished
RUN/checkpoints/KEY/       where a training of that key stands, until it is done
RUN/record.json            the run record, the only input of reports
RUN/verdict.json           the verdict alone
RUN/predictions.parquet    the aligned table
RUN/controls.parquet       what each control answered, where there are controls
RUN/report.html, report.md
RUN/curve.json, curve.svg, curve.html   the learning curve, where one was asked for
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def stages(self) -> Path:
        return self.root / "stages"

    @property
    def record(self) -> Path:
        return self.root / "record.json"

    @property
    def verdict(self) -> Path:
        return self.root / "verdict.json"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.parquet"

    @property
    def controls(self) -> Path:
        return self.root / "controls.parquet"

    @property
    def report_html(self) -> Path:
        return self.root / "report.html"

    @property
    def report_markdown(self) -> Path:
        return self.root / "report.md"

    @property
    def curve(self) -> Path:
        return self.root / "curve.json"

    @property
    def curve_svg(self) -> Path:
        return self.root / "curve.svg"

    @property
    def curve_html(self) -> Path:
        return self.root / "curve.html"

    def stage(self, name: str, key: str) -> Path:
        return self.stages / name / key


def claim(folder: RunFolder, spec: dict[str, Any], digest: str) -> dict[str, Any]:
    """Binds the folder to one spec, before anything is evaluated. Returns what is recorded there.

    Raises RunFolderError where the folder answers another spec, holds something else or cannot be written.
    """
    with _writable(folder):
        return _claimed(folder, spec, digest)


def _claimed(folder: RunFolder, spec: dict[str, Any], digest: str) -> dict[str, Any]:
    _refuse_foreign(folder)
    folder.root.mkdir(parents=True, exist_ok=True)
    if folder.spec.is_file():
        recorded = _recorded(folder)
        if recorded["digest"] != digest:
            raise RunFolderError(
                f"{folder.root} is the run of another spec ({recorded['digest'][:12]}, this one is {digest[:12]}); "
                "give another --run folder"
            )
        return recorded
    recorded = {"digest": digest, "recorded_at": utc_now(), "spec": spec}
    write_json(folder.spec, recorded)
    return recorded


def _recorded(folder: RunFolder) -> dict[str, Any]:
    try:
        recorded = json.loads(folder.spec.read_text(encoding="utf-8"))
        if set(recorded) >= {"digest", "recorded_at"}:
            return dict(recorded)
    except (ValueError, TypeError):
        pass
    raise RunFolderError(f"{folder.spec} is damaged; restore it, or give another --run folder")


def _refuse_foreign(folder: RunFolder) -> None:
    """Raises RunFolderError where something lies that is no run, before a byte is written there."""
    if folder.root.exists() and not folder.root.is_dir():
        raise RunFolderError(f"{folder.root} is a file; give another --run folder")
    if folder.spec.is_file() or not folder.root.is_dir():
        return
    if any(entry.name != ".lock" and not entry.name.startswith(".spec.json.") for entry in folder.root.iterdir()):
        raise RunFolderError(f"{folder.root} is not empty and not a run folder; give another --run folder")


@contextmanager
def _writable(folder: RunFolder) -> Iterator[None]:
    """Makes one line of what the system says against a run folder at its place."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{folder.root} cannot be a run folder ({error.strerror or error}); give another --run folder"
        ) from error


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Holds the folder's lock; the kernel frees it when the process dies, however it dies. Raises RunFolderError
    where the folder is in use, holds something else or cannot be made or written."""
    with _writable(folder):
        _refuse_foreign(folder)
        folder.root.mkdir(parents=True, exist_ok=True)
        opened = (folder.root / ".lock").open("a+")
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise RunFolderError(
                f"{folder.root} is in use by process {holder}; wait for it or give another --run folder"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the whole of it or none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text file so that a reader sees the whole of it or none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def utc_now() -> str:
    """The time in ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
