"""The choice of execution provider, apart from the library that carries it out."""

from __future__ import annotations

import enum


class Provider(enum.Enum):
    """Where to compute: `CPU` and `CUDA` are strict, `AUTO` takes CUDA only where it really works."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
