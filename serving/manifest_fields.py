"""The rules of `manifest.json`, key by key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

from serving.errors import ModelFolderError

# The name is a path segment of the HTTP API: /v2/models/{name}.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MIN_LABELS = 2


def checked_fields(stated: object, *, where: str, format_version: int) -> dict[str, Any]:
    """Return the manifest's fields once every rule holds.

    Raises:
        ModelFolderError: naming the first field that breaks its rule, its value and the remedy.
    """
    if not isinstance(stated, dict):
        raise ModelFolderError(f"{where} holds a JSON {type(stated).__name__}; it must be an object")
    _check_keys(set(stated), where)
    if stated["format_version"] != format_version or isinstance(stated["format_version"], bool):
        raise ModelFolderError(
            f"{where}: format_version is {stated['format_version']!r}; this version reads {format_version}"
        )
    for key, rule in _RULES.items():
        complaint = rule(stated[key])
        if complaint is not None:
            raise ModelFolderError(f"{where}: {key} {complaint}")
    return stated


def _check_keys(keys: set[Any], where: str) -> None:
    known = {"format_version", *_RULES}
    for key in sorted(keys - known):
        near = difflib.get_close_matches(key, known - keys, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "remove it"
        raise ModelFolderError(f"{where}: unknown key {key!r}; {remedy}")
    for key in sorted(known - keys):
        raise ModelFolderError(f"{where}: key {key!r} is missing; package the model again")


def _name(value: object) -> str | None:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return None
    return f"is {value!r}; use letters, digits, '.', '_' and '-', beginning with a letter or digit"


def _labels(value: object) -> str | None:
    if not isinstance(value, list) or not all(isinstance(label, str) and label for label in value):
        return f"is {value!r}; give a list of non-empty strings in the order of the logits"
    if len(value) < MIN_LABELS:
        return f"has {len(value)} label(s); a classifier needs at least {MIN_LABELS}"
    twice = sorted({label for label in value if value.count(label) > 1})
    return f"has {twice[0]!r} more than once; labels must differ" if twice else None


def _positive_int(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return None
    return f"is {value!r}; give a whole number of at least 1"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) and value else f"is {value!r}; give a non-empty string"


def _files(value: object) -> str | None:
    if not isinstance(value, dict) or not value:
        return f"is {value!r}; give an object of file name to sha256"
    for name, digest in value.items():
        if name in {"", ".", ".."} or "/" in name or "\\" in name:
            return f"names {name!r}, which leaves the model folder; use plain file names"
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            return f"gives {name!r} the digest {digest!r}; a sha256 is 64 lower-case hexadecimal digits"
    return None


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else f"is {value!r}; give a JSON object"


_RULES: dict[str, Callable[[object], str | None]] = {
    "name": _name,
    "labels": _labels,
    "max_length": _positive_int,
    "precision": _text,
    "opset": _positive_int,
    "files": _files,
    "provenance": _object,
}
