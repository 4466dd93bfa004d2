"""The model folder: `manifest.json` beside `model.onnx` and `tokenizer.json`, sealed by digests.

The manifest says what the files are (labels in logit order, maximum length, precision) and holds their
SHA-256, so that the model that was judged is the model that is served.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.errors import ModelFolderError
from serving.manifest_fields import checked_fields

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SCALES_IN_THE_FILE = ("fp32", "fp16", "bf16", "int8_static")
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model folder states about itself.

    `labels` are in the order of the logits; `max_length` counts tokens, special tokens included; `files`
    maps each file name to its SHA-256 in hexadecimal; `provenance` is free JSON (teacher, data, code).
    """

    format_version: int = FORMAT_VERSION
    name: str
    labels: tuple[str, ...]
    max_length: int
    precision: str
    opset: int
    files: dict[str, str]
    provenance: dict[str, Any]


def write_manifest(
    folder: Path,
    *,
    name: str,
    labels: Sequence[str],
    max_length: int,
    precision: str,
    opset: int,
    provenance: Mapping[str, Any],
) -> Manifest:
    """Hash the model and tokenizer in `folder` and write `manifest.json` in one atomic step.

    Raises:
        ModelFolderError: a file is missing, or a field breaks the rules `read_manifest` enforces.
    """
    where = folder / MANIFEST_FILE
    stated = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "labels": list(labels),
        "max_length": max_length,
        "precision": precision,
        "opset": opset,
        "files": {file: _sha256(folder / file) for file in (MODEL_FILE, TOKENIZER_FILE)},
        "provenance": dict(provenance),
    }
    manifest = _manifest(stated, where)
    try:
        text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFolderError(f"{where}: provenance is not plain JSON ({error}); give JSON values") from error
    _write_atomically(where, text + "\n")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read and check `manifest.json`; the files it names are not opened (see `verify_files`).

    Raises:
        ModelFolderError: the folder or manifest is missing or not JSON, a key is unknown or missing, a value
            has the wrong type, or there are fewer than two labels or two equal ones.
    """
    where = folder / MANIFEST_FILE
    try:
        stated = json.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFolderError(f"{where} cannot be read ({error.strerror}); give a model folder") from error
    except ValueError as error:
        raise ModelFolderError(f"{where} is not JSON ({error}); package the model again") from error
    return _manifest(stated, where)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check every file's digest against the manifest.

    Raises:
        ModelFolderError: a name leaves the folder, a file is missing, or a digest differs.
    """
    root = folder.resolve()
    for name, expected in manifest.files.items():
        path = folder / name
        if path.resolve().parent != root:
            raise ModelFolderError(f"{folder}: file {name!r} leaves the model folder; keep its files inside")
        found = _sha256(path)
        if found != expected:
            raise ModelFolderError(
                f"{path} has sha256 {found[:12]}…, the manifest says {expected[:12]}…; "
                "the file changed after packaging, so package the model again"
            )


def model_version(manifest: Manifest) -> str:
    """A short digest of what decides the answers: file contents, label order and maximum length.

    Provenance and name are left out, so that a renamed copy keeps its version.
    """
    content = [sorted(manifest.files.items()), list(manifest.labels), manifest.max_length]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def depends_on_batch(manifest: Manifest) -> bool:
    """Whether an answer may depend on the rows beside it: int8_dynamic finds one scale for the activations of the
    whole batch at every run, and nothing is known of a precision that has another name.
    """
    return manifest.precision not in SCALES_IN_THE_FILE


def _manifest(stated: object, where: Path) -> Manifest:
    fields = checked_fields(stated, where=str(where), format_version=FORMAT_VERSION)
    for needed in (MODEL_FILE, TOKENIZER_FILE):
        if needed not in fields["files"]:
            raise ModelFolderError(f"{where}: files lacks {needed!r}; package the model again")
    return Manifest(**{**fields, "labels": tuple(fields["labels"])})


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise ModelFolderError(
            f"{path} cannot be read ({error.strerror}); a model folder holds {MODEL_FILE}, {TOKENIZER_FILE} "
            f"and {MANIFEST_FILE}"
        ) from error
    return digest.hexdigest()


def _write_atomically(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)  # mkstemp makes it private; the server may run as another user
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
