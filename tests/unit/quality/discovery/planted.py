"""Aligned tables in which it is known where the student loses more than its teacher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from evalkit.quality.discovery.discover import discover
from evalkit.quality.discovery.discovered import DiscoveryResult
from evalkit.quality.discovery.features import Task
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import Discovery

LABELS = ("0", "1", "2", "3")
CATEGORIES = {"channel": 3, "region": 5, "device": 4, "plan": 6}


def planted(
    seed: int, n: int, bad: Callable[[pd.DataFrame], pd.Series] | None = None, extra_loss: float = 0.3
) -> pd.DataFrame:
    """Teacher and student of one quality, alike in most answers, with ``extra_loss`` in the rows of ``bad``."""
    rng = np.random.default_rng(seed)
    label = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    own = pd.DataFrame({name: rng.choice(list("abcdef")[:many], n) for name, many in CATEGORIES.items()})
    own["age"] = rng.integers(18, 90, n)
    own["text"] = [" ".join(rng.choice(["one", "two", "three", "four"], rng.integers(2, 12))) for _ in range(n)]
    accuracy = np.where(rng.random(n) < 0.3, 0.7, 0.95)
    teacher, redrawn = (np.where(rng.random(n) < accuracy, label, rng.integers(0, 4, n)) for _ in range(2))
    student = np.where(rng.random(n) < 0.7, teacher, redrawn)
    if bad is not None:
        lost = bad(own).to_numpy(dtype=bool) & (rng.random(n) < extra_loss)
        student = np.where(lost, (label + 1) % 4, student)
    answers = {"row_label": label.astype(str), "teacher": teacher.astype(str), "student": student.astype(str)}
    return pd.concat([pd.DataFrame({"row_id": [f"r{row}" for row in range(n)], **answers}), own], axis=1)


def task(cluster: str | None = None, kind: str = "classification") -> Task:
    return Task(columns=Columns(cluster=cluster), kind=kind, labels=LABELS)


def searched(table: pd.DataFrame, seed: int = 0, cluster: str | None = None, **spec: object) -> DiscoveryResult:
    asked = Discovery.model_validate({"text_features": False, **spec})
    return discover(table, asked, task=task(cluster), level=0.9, rng=np.random.default_rng(seed))
