"""Everything a report may say about a run, in one versioned file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.cascade.cascade import Cascade
from evalkit.cost.report import CostReport
from evalkit.data.subpopulations import Infeasible
from evalkit.decision.verdict import Verdict
from evalkit.diagnosis.finding import Finding
from evalkit.errors import RunFolderError
from evalkit.quality.controls import ControlsReport
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.record.layout import RunFolder, write_json
from evalkit.record.looks import LooksReport
from evalkit.stats.measurement import Measurement
from loadtest.analysis import LoadAnalysis

SCHEMA_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What makes the run repeatable."""

    evalkit_version: str
    spec_digest: str
    spec_recorded_at: str
    decided_at: str
    seed: int
    data_digests: dict[str, str]
    model_versions: dict[str, str]
    execution_provider: str | None
    hardware: dict[str, Any]
    packages: dict[str, str]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One side of the comparison. ``parameters`` and ``megabytes`` are None for recorded predictions; ``batches``, how
    often a label depends on the texts in its batch, is None where none does by the model's nature."""

    role: str
    source: str
    version: str
    parameters: int | None
    megabytes: float | None
    parity: dict[str, Any] | None
    training: dict[str, Any] | None
    batches: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """One model under load: the figures, or the reasons why the measurement is void.

    ``void_reasons`` are all of them; ``latency_void_reasons`` and ``saturation_void_reasons`` keep those of the two
    measurements apart. ``limits`` are the rules beyond which a measurement is void. ``pinning`` says which provider
    answered, on which cores server and generator ran, and whether they were separated. ``analysis`` is of the latency
    measurement. Records from before these were kept have none of them.
    """

    role: str
    rate_rps: float
    requests: int
    figures: dict[str, float]
    void_reasons: tuple[str, ...]
    measured_at: str
    pinning: dict[str, Any]
    latency_void_reasons: tuple[str, ...] = ()
    saturation_void_reasons: tuple[str, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    analysis: LoadAnalysis | None = None

    @property
    def latency_void(self) -> tuple[str, ...]:
        """Why there is no latency; all reasons, where the record does not keep them apart."""
        return self.latency_void_reasons if self.saturation_void_reasons else self.void_reasons

    @property
    def saturation_void(self) -> tuple[str, ...]:
        """Why there is no throughput; all reasons, where the record does not keep them apart."""
        return self.saturation_void_reasons if self.latency_void_reasons else self.void_reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A held-out row that the teacher gets right and the student wrong."""

    row_id: str
    text: str
    label: str
    teacher: str
    student: str
    subpopulation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """A declared subpopulation: its rows (in ranking, queries), its policy and where it is judged."""

    name: str
    n: int
    margin: float | None
    required: bool
    merged_into: str | None
    equality_p: float | None
    """Two-sided mid-p of McNemar's test that both models are equally often right; secondary evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """How long a stage took when it was done, and whether this run found it finished."""

    name: str
    key: str
    seconds: float
    finished_at: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The run record: evidence, verdict and signature."""

    schema_version: int
    task: dict[str, Any]
    verdict: Verdict
    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    groups: tuple[GroupLine, ...]
    too_small: tuple[Infeasible, ...]
    discovery: DiscoveryResult | None
    looks: LooksReport
    data: dict[str, Any]
    models: tuple[ModelSummary, ...]
    loads: tuple[LoadReport, ...]
    cost: CostReport | None
    cascade: Cascade | None
    examples: tuple[Example, ...]
    stages: tuple[StageLine, ...]
    spec: dict[str, Any]
    signature: Signature
    controls: ControlsReport | None = None
    """None where the spec asks for none, and in records from before there were any."""


def write_record(run: RunFolder, record: RunRecord) -> None:
    """record.json, and verdict.json with the verdict alone. Raises ValueError for a number that is none."""
    from pydantic import TypeAdapter

    write_json(run.record, TypeAdapter(RunRecord).dump_python(record, mode="json"))
    write_json(run.verdict, TypeAdapter(Verdict).dump_python(record.verdict, mode="json"))


def read_record(root: Path) -> RunRecord:
    """The record of a run folder. Raises RunFolderError where there is none or it is of another version."""
    from pydantic import TypeAdapter, ValidationError

    run = RunFolder(root)
    if not run.record.is_file():
        raise RunFolderError(f"{root} holds no finished run (no record.json); run `evalkit check` first")
    try:
        record = TypeAdapter(RunRecord).validate_json(run.record.read_bytes())
    except ValidationError as error:
        raise RunFolderError(
            f"{run.record} is damaged or of another version ({error.error_count()} problems)"
        ) from error
    if record.schema_version != SCHEMA_VERSION:
        raise RunFolderError(
            f"{run.record} has schema version {record.schema_version}; this evalkit reads {SCHEMA_VERSION}"
        )
    return record
