"""A small project of recorded predictions, written into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml


def write_project(
    folder: Path, *, retention: float, teacher_usd: float, student_usd: float, rows: int = 20_000, **spec: Any
) -> Path:
    """held_out.csv, teacher.csv, student.csv and the gate.yaml whose path is returned."""
    rng = np.random.default_rng(11)
    names = np.array(["no", "yes"])
    truth = rng.integers(0, 2, rows)
    teacher = np.where(rng.random(rows) < 0.9, truth, 1 - truth)
    flips = rng.random(rows)
    right = teacher == truth
    # What the student loses where the teacher is right, less what it gains where the teacher is wrong.
    student_right = np.where(right, flips > (1 - retention) + 0.01, flips < 0.09)
    student = np.where(student_right, truth, 1 - truth)
    ids = [f"row-{number}" for number in range(rows)]
    channel = rng.choice(["web", "phone", "shop"], rows)
    texts = [f"text number {number}" for number in range(rows)]
    pd.DataFrame({"id": ids, "text": texts, "label": names[truth], "channel": channel}).to_csv(
        folder / "held_out.csv", index=False
    )
    for role, answers in (("teacher", teacher), ("student", student)):
        pd.DataFrame({"id": ids, "prediction": names[answers]}).to_csv(folder / f"{role}.csv", index=False)
    price = {"source": "invoice", "date": "2026-11-01"}
    content = {
        "task": {"name": "fixture", "labels": ["no", "yes"]},
        "data": {"held_out": "held_out.csv"},
        "subpopulations": {"by": ["channel"]},
        "teacher": {"recorded": "teacher.csv"},
        "student": {"recorded": "student.csv"},
        "cost": {
            "teacher": {"usd_per_million_requests": teacher_usd, **price},
            "student": {"usd_per_million_requests": student_usd, **price},
        },
        **spec,
    }
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
