"""Small projects of recorded predictions, for every kind of task: tables as Parquet, and the gate.yaml beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from evalkit.record.run_record import RunRecord
from evalkit.spec.loading import load_spec
from evalkit.workflow.check import check
from evalkit.workflow.gate import Silence

PRICE = {"source": "invoice", "date": "2026-11-01"}
COST = {
    "teacher": {"usd_per_million_requests": 800, **PRICE},
    "student": {"usd_per_million_requests": 100, **PRICE},
}
BARE: dict[str, Any] = {
    "task": {"name": "fixture"},
    "data": {"held_out": "held_out.parquet"},
    "discovery": None,
    "teacher": {"recorded": "teacher.parquet"},
    "student": {"recorded": "student.parquet"},
    "requirements": {"cost_reduction": None},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The held-out rows and both models' answers."""

    held_out: pd.DataFrame
    teacher: pd.DataFrame
    student: pd.DataFrame

    def with_columns(self, **columns: Any) -> Tables:
        """The same with more columns, or others, in the held-out table."""
        return replace(self, held_out=self.held_out.assign(**columns))

    def losing(self, where: Any, share: float, seed: int = 5) -> Tables:
        """The same with a student that is wrong in a ``share`` of the rows ``where`` [n] holds; of two labels."""
        labels = sorted(self.held_out["label"].unique())
        lost = np.asarray(where, dtype=bool) & (np.random.default_rng(seed).random(len(self.held_out)) < share)
        wrong = self.held_out["label"].map(dict(zip(labels, reversed(labels), strict=True)))
        return replace(self, student=self.student.assign(prediction=self.student["prediction"].mask(lost, wrong)))


def binary(rows: int = 2_000, *, lost: float = 0.01, gained: float = 0.05, seed: int = 3) -> Tables:
    """yes or no: the teacher is right in 9 of 10 rows, the student loses and gains the shares given."""
    rng = np.random.default_rng(seed)
    names = np.array(["no", "yes"])
    truth = rng.integers(0, 2, rows)
    teacher_right = rng.random(rows) < 0.9
    student_right = np.where(teacher_right, rng.random(rows) >= lost, rng.random(rows) < gained)
    ids = [f"row-{number}" for number in range(rows)]
    held_out = pd.DataFrame(
        {
            "id": ids,
            "text": [f"text number {number}" for number in range(rows)],
            "label": names[truth],
            "channel": rng.choice(["phone", "shop", "web"], rows),
        }
    )
    teacher, student = (
        pd.DataFrame({"id": ids, "prediction": names[np.where(right, truth, 1 - truth)]})
        for right in (teacher_right, student_right)
    )
    return Tables(held_out=held_out, teacher=teacher, student=student)


def with_probabilities(tables: Tables, seed: int = 4) -> Tables:
    """The same with probabilities of "no" and "yes" that agree with each answer."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.55, 0.99, len(tables.held_out))
    both = {}
    for name, shift in (("teacher", 0.0), ("student", 0.004)):
        table = getattr(tables, name)
        yes = np.where(table["prediction"] == "yes", confidence - shift, 1 - confidence + shift)
        both[name] = table.assign(probability_no=1 - yes, probability_yes=yes)
    return replace(tables, **both)


def write_project(folder: Path, tables: Tables, **spec: Any) -> Path:
    """The tables and gate.yaml in ``folder``; ``spec`` goes over the bare one, section by section."""
    for name in ("held_out", "teacher", "student"):
        getattr(tables, name).to_parquet(folder / f"{name}.parquet", index=False)
    return write_gate(folder, **spec)


def write_gate(folder: Path, **spec: Any) -> Path:
    """gate.yaml alone."""
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump(over(BARE, spec), allow_unicode=True), encoding="utf-8")
    return path


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``, key by key."""
    laid = dict(below)
    for key, value in above.items():
        inner = laid.get(key)
        laid[key] = over(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return laid


def record_of(gate: Path, run: str = "run") -> RunRecord:
    """What the gate finds, in this process, in runs/``run`` beside gate.yaml."""
    return check(load_spec(gate), gate.parent / "runs" / run, Silence())
