"""The requests' bodies and the labels they should come back with, one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENDPOINT = "/v1/classify"


@dataclass(frozen=True, slots=True)
class Payload:
    """One request body for ``POST /v1/classify``, and the label the same model gives offline, if known."""

    body: bytes
    expected_label: str | None


def write_payloads(path: Path, texts: Sequence[str], expected_labels: Sequence[str] | None) -> None:
    """Write one payload a text.

    Raises:
        ValueError: when there is no text, or not one expected label a text.
    """
    if not texts:
        raise ValueError("texts is empty; give at least one text to send")
    if expected_labels is not None and len(expected_labels) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(expected_labels)} expected labels; give one a text")
    labels: Sequence[str | None] = expected_labels if expected_labels is not None else [None] * len(texts)
    lines = [
        json.dumps({"body": {"texts": [text]}, "expected_label": label})
        for text, label in zip(texts, labels, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_payloads(path: Path) -> list[Payload]:
    """Read what :func:`write_payloads` wrote, with each body as the bytes to send."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Payload(json.dumps(row["body"]).encode(), row["expected_label"]) for row in rows]


def answered_label(content: bytes) -> str | None:
    """The label in an answer to a payload, or None when the body is no answer to one text.

    >>> answered_label(b'{"predictions": [{"label": "billing"}]}')
    'billing'
    >>> answered_label(b"<html>") is None
    True
    """
    try:
        (prediction,) = json.loads(content)["predictions"]
        label = prediction["label"]
    except (ValueError, KeyError, TypeError):
        return None
    return label if isinstance(label, str) else None
