"""The requests' bodies and the labels they should come back with, one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.targets.target import Target


@dataclass(frozen=True, slots=True)
class Payload:
    """One request body, and the label the same model gives offline, if known."""

    body: bytes
    expected_label: str | None


def write_payloads(
    path: Path,
    target: Target,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    rows: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write one payload a text. ``rows`` holds what a template may use beside the text.

    Raises:
        ValueError: when there is no text, or not one expected label or row a text.
    """
    if not texts:
        raise ValueError("texts is empty; give at least one text to send")
    for name, given in (("expected labels", expected_labels), ("rows", rows)):
        if given is not None and len(given) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(given)} {name}; give one a text")
    labels: Sequence[str | None] = expected_labels if expected_labels is not None else [None] * len(texts)
    with path.open("w", encoding="utf-8") as lines:
        for text, label, row in zip(texts, labels, rows or [{}] * len(texts), strict=True):
            lines.write(json.dumps({"body": target.body(text, row), "expected_label": label}) + "\n")


def read_payloads(path: Path) -> list[Payload]:
    """Read what :func:`write_payloads` wrote, with each body as the bytes to send."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    if not rows:
        raise ValueError(f"{path} holds no payload")
    return [Payload(row["body"].encode("utf-8", "surrogatepass"), row["expected_label"]) for row in rows]
