"""What it means to load a model, apart from the libraries that do it: a supervisor needs none of those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A model to serve: its folder, and whether its labels may be others than those that are served now."""

    folder: Path
    allow_other_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is served after a load, and what was before."""

    name: str
    version: str
    former_version: str


# Loads a model in all processes of the server.
Loader: TypeAlias = Callable[[Load], Awaitable[Loaded]]
