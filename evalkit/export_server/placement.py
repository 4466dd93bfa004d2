"""Where an exported server computes, and how much at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalkit.export_server.errors import ExportError


class Device(StrEnum):
    """The execution provider; both are strict, as in the server."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """``threads`` compute one batch of at most ``max_batch_rows`` texts. Raises ExportError below 1."""

    provider: Device = Device.CPU
    threads: int = 1
    max_batch_rows: int = 16

    def __post_init__(self) -> None:
        for name in ("threads", "max_batch_rows"):
            if getattr(self, name) < 1:
                flag = "--" + name.replace("_", "-")
                raise ExportError(f"{flag} is {getattr(self, name)}; give at least 1")
