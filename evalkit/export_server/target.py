"""The folder that an export writes: whole or not at all, with what it was made from."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from evalkit.export_server.errors import ExportError
from evalkit.export_server.source import Source
from evalkit.record.layout import utc_now, write_json, write_text
from evalkit.record.stages import file_digest

STATEMENT, SUMS = "export.json", "SHA256SUMS"


class Existing(Enum):
    """What happens to an earlier export in the same place."""

    REFUSE = "refuse"
    REPLACE = "replace"


@contextmanager
def target(folder: Path, existing: Existing, source: Source) -> Iterator[Path]:
    """Gives an empty folder to write into; on leaving without an error it becomes ``folder``.

    export.json (what was exported, and of which verdict) and SHA256SUMS (every file) are added.

    Raises:
        ExportError: ``folder`` is a file or not empty, would swallow the model folder, or, to be replaced, is not
            an earlier export.
    """
    _refuse(folder, existing, source)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise ExportError(f"--out {folder} cannot be made ({error.strerror}); give a folder that can") from error
    try:
        yield unfinished
        write_json(unfinished / STATEMENT, statement(source))
        write_text(unfinished / SUMS, _sums(unfinished))
        unfinished.chmod(0o755)  # mkdtemp makes it private; servers run as other users
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def statement(source: Source) -> dict[str, object]:
    """What an export says about itself, as JSON: the model, its digests and its verdict (null where none)."""
    judged = source.judged
    return {
        "exported_at": utc_now(),
        "evalkit_version": importlib.metadata.version("evalkit-gate"),
        "model": source.manifest.name,
        "model_version": source.version,
        "labels": list(source.manifest.labels),
        "files": source.manifest.files,
        "verdict": None if judged is None else dataclasses.asdict(judged),
    }


def copy_model(source: Source, folder: Path) -> None:
    """Copies the model folder's files, and nothing else that may lie beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in source.files:
        shutil.copyfile(source.folder / name, folder / name)


def _refuse(folder: Path, existing: Existing, source: Source) -> None:
    model, chosen = source.folder.resolve(), folder.resolve()
    if chosen == model or chosen in model.parents or model in chosen.parents:
        raise ExportError(f"--out {folder} holds the model folder or lies in it; give another folder")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"--out {folder} is a file; give a folder")
    if not any(folder.iterdir()):
        return
    if existing is Existing.REFUSE:
        raise ExportError(f"--out {folder} is not empty; give another folder, or --force to replace an earlier export")
    if not (folder / STATEMENT).is_file():
        raise ExportError(f"--out {folder} holds something that no export wrote; --force replaces only earlier exports")


def _sums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
