"""How to repeat the run: the command, the seed, the digests, the machine, the packages and the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.record.run_record import RunRecord, StageLine
from reports import numbers
from reports.words import one_line

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """One stage: how long it took when it was done, and whether this run found it finished."""

    name: str
    seconds: str
    finished_at: str
    how: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Everything that makes the run repeatable."""

    command: str
    facts: Facts
    digests: Facts
    hardware: Facts
    packages: str
    training: Facts
    stages: tuple[StageView, ...]


def reproduction(record: RunRecord) -> Reproduction:
    """The signature and the stages."""
    signature = record.signature
    return Reproduction(
        command=one_line(signature.command),
        facts=(
            ("evalkit", signature.evalkit_version),
            ("Seed", str(signature.seed)),
            ("Execution provider", signature.execution_provider or "none: nothing was served"),
            ("Record schema", str(record.schema_version)),
        ),
        digests=_digests(record),
        hardware=_plain(signature.hardware),
        packages=", ".join(f"{name} {version}" for name, version in signature.packages.items()),
        training=_training(record),
        stages=tuple(_stage(each) for each in record.stages),
    )


def _digests(record: RunRecord) -> Facts:
    signature = record.signature
    return (
        ("spec", signature.spec_digest),
        *((f"data.{one_line(name)}", value) for name, value in signature.data_digests.items()),
        *((f"{one_line(name)} version", one_line(value)) for name, value in signature.model_versions.items()),
    )


def _training(record: RunRecord) -> Facts:
    """How the student was trained; empty where it was given."""
    trained = [model.training for model in record.models if model.role == "student" and model.training]
    return _plain(trained[0]) if trained else ()


def _plain(values: Mapping[str, Any]) -> Facts:
    return tuple(
        (one_line(name).replace("_gib", " in GiB").replace("_", " "), one_line(_value(value)))
        for name, value in values.items()
    )


def _value(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return numbers.stated(value) if isinstance(value, int | float) else str(value)


def _stage(line: StageLine) -> StageView:
    return StageView(
        name=one_line(line.name),
        seconds=numbers.duration(line.seconds),
        finished_at=numbers.moment(line.finished_at),
        how="reused" if line.reused else "done in this run",
        key=numbers.digest(line.key),
    )
