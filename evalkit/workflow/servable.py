"""A model as the folder that is judged and served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.manifest import Manifest, model_version


@dataclass(frozen=True, slots=True, kw_only=True)
class ServableModel:
    """One side of the comparison as a folder that ``serving`` opens."""

    role: str
    source: str
    folder: Path
    manifest: Manifest
    parity: dict[str, Any] | None
    training: dict[str, Any] | None = None
    batches: dict[str, Any] | None = None
    """What its batches change, where they may change anything."""

    @property
    def version(self) -> str:
        return model_version(self.manifest)

    @property
    def batch_dependent_share(self) -> float:
        """At most this share of its labels depends on the batch: the upper end of the interval, and no more than
        serve.most_label_flips allows."""
        return 0.0 if self.batches is None else min(self.batches["upper"], self.batches["most_label_flips"])

    @property
    def judged_with(self) -> dict[str, float]:
        """What the key of a load stage further rests on."""
        return {} if self.batches is None else {f"{self.role}_batch_dependent_share": self.batch_dependent_share}

    @property
    def megabytes(self) -> float:
        return round((self.folder / "model.onnx").stat().st_size / 1e6, 2)

    @property
    def parameters(self) -> int | None:
        counted = self.manifest.provenance.get("parameters")
        return counted if isinstance(counted, int) else None


def every_core() -> int:
    """Cores that this process may use: offline work takes them all, served work takes what the spec says."""
    import psutil

    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1
