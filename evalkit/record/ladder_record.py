"""A ladder of students: what each came to, who is named, and by which rule. The only input of the ladder's page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.decision.outcome import Outcome
from evalkit.decision.pareto import Place
from evalkit.decision.smallest import Named
from evalkit.diagnosis.finding import Finding
from evalkit.errors import RunFolderError
from evalkit.record.layout import RunFolder, write_json
from evalkit.stats.interval import Estimate

SCHEMA_VERSION = 1
LADDER_JSON, LADDER_HTML = "ladder.json", "ladder.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one model. Latency and cost are NotEstimable where they were not measured.

    The accuracy's interval is that of the model's own run, at its level.
    """

    parameters: int | None
    megabytes: float | None
    accuracy: Estimate
    p50_ms: Estimate
    p99_ms: Estimate
    usd_per_million: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class RungLine:
    """One student. ``run`` is its run folder's name, beside the ladder's, and ``look`` the number of its look at the
    held-out set. ``gap`` is against the teacher, ``less_best`` against the best of the other rungs, simultaneously
    for all of them. ``is_control``: as large as the teacher, and no candidate."""

    name: str
    is_control: bool
    run: str
    spec_digest: str
    look: int
    figures: Figures
    gap: Estimate
    outcome: Outcome
    is_good: bool
    why: str
    less_best: Estimate
    not_inferior: bool
    may_be_best: bool
    place: Place
    finding: Finding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRecord:
    """``rungs`` from the smallest to the largest. ``smallest_go`` may replace the teacher; ``smallest_as_good`` loses
    less than ``margin`` against the best rung. ``confidence`` is that of each rung's claims, ``asked_confidence`` the
    spec's, which holds for the ladder as a whole. ``objectives`` are those of the front."""

    schema_version: int
    task: str
    outcome: Outcome
    rungs: tuple[RungLine, ...]
    teacher: Figures
    smallest_go: Named
    smallest_as_good: Named
    margin: float
    asked_confidence: float
    confidence: float
    methods: tuple[str, ...]
    objectives: tuple[str, ...]
    rows: int
    verdicts_before: int
    spec_digest: str
    ladder_digest: str
    recorded_at: str
    decided_at: str
    command: str


def write_ladder(folder: RunFolder, record: LadderRecord) -> None:
    """ladder.json. Raises ValueError for a number that is none."""
    from pydantic import TypeAdapter

    write_json(folder.root / LADDER_JSON, TypeAdapter(LadderRecord).dump_python(record, mode="json"))


def read_ladder(root: Path) -> LadderRecord:
    """The ladder of a folder. Raises RunFolderError where there is none or it is of another version."""
    from pydantic import TypeAdapter, ValidationError

    path = root / LADDER_JSON
    if not path.is_file():
        raise RunFolderError(f"{root} holds no finished ladder (no {LADDER_JSON}); run `evalkit ladder` first")
    try:
        record = TypeAdapter(LadderRecord).validate_json(path.read_bytes())
    except ValidationError as error:
        raise RunFolderError(f"{path} is damaged or of another version ({error.error_count()} problems)") from error
    if record.schema_version != SCHEMA_VERSION:
        raise RunFolderError(f"{path} has schema version {record.schema_version}; this evalkit reads {SCHEMA_VERSION}")
    return record
