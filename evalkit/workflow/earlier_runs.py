"""What earlier runs in the workspace found on the same held-out rows: answers, and how fast both models were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.data.dataset import Rows
from evalkit.planning.break_even import Throughputs
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.record.layout import RunFolder
from evalkit.spec.gate import Columns
from evalkit.stats.interval import Estimate, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAnswers:
    """The newest usable predictions.parquet, or None, and why runs on the same rows were passed over."""

    table: pd.DataFrame | None
    source: str
    passed_over: tuple[str, ...]


def earlier_answers(workspace: Path, held_out_digest: str, rows: Rows) -> EarlierAnswers:
    """Answers to the same held-out file, row by row the same ids and labels."""
    passed_over: list[str] = []
    for run, record in _newest_first(workspace, passed_over):
        if _at(record, "signature", "data_digests", "held_out") != held_out_digest:
            continue
        try:
            table = pd.read_parquet(run.predictions)
        except (OSError, ValueError) as error:
            passed_over.append(f"{run.root.name} was not used: its predictions.parquet cannot be read ({error})")
            continue
        problem = _unlike(table, rows)
        if problem is None:
            return EarlierAnswers(table=table, source=run.root.name, passed_over=tuple(passed_over))
        passed_over.append(f"{run.root.name} was not used: {problem}")
    return EarlierAnswers(table=None, source="", passed_over=tuple(passed_over))


def earlier_throughputs(workspace: Path, task: str) -> Throughputs | None:
    """Saturated throughput of both models in the newest run of the task that measured both."""
    for run, record in _newest_first(workspace, []):
        if _at(record, "task", "name") != task:
            continue
        teacher, student = (_measured(record, f"{role}_saturated_rps") for role in (TEACHER, STUDENT))
        if teacher is not None and student is not None:
            return Throughputs(teacher=teacher, student=student, source=run.root.name)
    return None


def earlier_teacher_accuracy(
    workspace: Path, held_out_digest: str, columns: Columns, version: str
) -> tuple[str, Interval] | None:
    """The newest run that measured this ``version`` of the teacher on the same ``columns`` of the same held-out file,
    and its accuracy."""
    read = columns.model_dump(mode="json")
    for run, record in _newest_first(workspace, []):
        same_rows = _at(record, "signature", "data_digests", "held_out") == held_out_digest
        same_rows = same_rows and _at(record, "spec", "data", "columns") == read
        if same_rows and _at(record, "signature", "model_versions", TEACHER) == version:
            found = _measured(record, "teacher_accuracy")  # the first is over all rows
            if isinstance(found, Interval):
                return run.root.name, found
    return None


def _newest_first(workspace: Path, passed_over: list[str]) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    found = []
    for path in sorted(workspace.glob("*/record.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = None
        if isinstance(record, dict):
            found.append((str(_at(record, "signature", "decided_at")), RunFolder(path.parent), record))
        else:
            passed_over.append(f"{path.parent.name} was not used: its record.json is damaged")
    for _, run, record in sorted(found, key=lambda each: each[0], reverse=True):
        yield run, record


def _unlike(table: pd.DataFrame, rows: Rows) -> str | None:
    """Why the table does not answer exactly these rows."""
    for name in ("row_id", "row_label", TEACHER, STUDENT):
        if name not in table.columns:
            return f"its predictions have no column {name}"
    if tuple(table["row_id"].astype(str)) != rows.ids:
        return "its predictions are of other row ids"
    if not (table["row_label"].to_numpy(dtype=object) == rows.truth.astype(object)).all():
        return "its rows had other labels"
    return None


def _measured(record: dict[str, Any], name: str) -> Estimate | None:
    for each in record.get("measurements", ()):
        if _at(each, "name") == name and isinstance(_at(each, "value", "point"), float):
            return Interval(**each["value"])
    return None


def _at(value: Any, *keys: str) -> Any:
    """A nested entry of JSON; None where it is not there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
