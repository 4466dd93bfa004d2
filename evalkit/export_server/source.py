"""What is exported: the student's model folder of a run with the verdict it earned, or a bare model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.decision.outcome import Outcome
from evalkit.export_server.errors import ExportError
from evalkit.record.layout import RunFolder
from evalkit.record.override import read_overrides, standing_outcome
from evalkit.record.run_record import RunRecord, read_record
from evalkit.record.stages import file_digest
from serving.manifest import MANIFEST_FILE, Manifest, model_version, read_manifest, verify_files

STUDENT, STUDENT_STAGE = "student", "student-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run's verdict, the outcome that holds after any override, and what names the two."""

    run: str
    outcome: Outcome
    standing: Outcome
    overridden: str | None
    """Who overrode the verdict and why, where somebody did and it still holds."""
    verdict_sha256: str
    spec_digest: str
    terms: Mapping[str, Any] | None = None
    """The terms of use of the teacher's provider, as gate.yaml states them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model folder whose digests were verified; ``judged`` is None where no gate has seen it."""

    folder: Path
    manifest: Manifest
    version: str
    judged: Judged | None

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the folder's files, the manifest first."""
        return (MANIFEST_FILE, *sorted(self.manifest.files))


def read_source(path: Path) -> Source:
    """Opens a run folder or a model folder, and verifies every digest.

    Raises:
        ExportError: it is neither, the run judged no model, or its model is no longer the one that was judged.
        RunFolderError: the run is unfinished or damaged.
        ModelFolderError: a file is missing or is not the one whose digest the manifest holds.
    """
    if (path / MANIFEST_FILE).is_file():
        return _verified(path, None)
    if not path.is_dir():
        raise ExportError(f"{path} is not a folder; give a run folder or a model folder with {MANIFEST_FILE}")
    record = read_record(path)
    source = _verified(_student_folder(path, record), _judged(path, record))
    judged_version = record.signature.model_versions[STUDENT]
    if source.version != judged_version:
        raise ExportError(
            f"{source.folder} is version {source.version}, and the verdict is of version {judged_version}; "
            "run `evalkit check` again"
        )
    return source


def _verified(folder: Path, judged: Judged | None) -> Source:
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    return Source(folder=folder, manifest=manifest, version=model_version(manifest), judged=judged)


def _student_folder(root: Path, record: RunRecord) -> Path:
    for stage in record.stages:
        if stage.name == STUDENT_STAGE:
            return RunFolder(root).stage(stage.name, stage.key) / "model"
    raise ExportError(
        f"{root} judged recorded predictions, so there is no student in it to serve; give the student's model folder"
    )


def _judged(root: Path, record: RunRecord) -> Judged:
    overrides = read_overrides(root)
    holding = [each.statement for each in overrides if not each.stale]
    return Judged(
        run=root.resolve().name,
        outcome=record.verdict.outcome,
        standing=standing_outcome(record.verdict.outcome, overrides),
        overridden=f"{holding[-1].by}: {holding[-1].reason}" if holding else None,
        verdict_sha256=file_digest(RunFolder(root).verdict),
        spec_digest=record.signature.spec_digest,
        terms=record.spec.get("teacher", {}).get("terms"),
    )
