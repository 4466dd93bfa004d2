"""How closely the student follows its teacher, whoever is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import EVIDENCE, accuracy, right
from evalkit.stats.interval import NotEstimable
from evalkit.stats.means import mean_interval
from evalkit.stats.measurement import ALL_ROWS, Measurement

SMALLEST_PROBABILITY = 1e-8


def fidelity_measurements(
    table: pd.DataFrame, labels: tuple[str, ...], cluster: str | None, level: float
) -> tuple[Measurement, ...]:
    """Top-1 agreement, negative and positive flip rate, and KL(teacher ‖ student) in nats."""
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    teacher, student = right(table, TEACHER), right(table, STUDENT)
    same = table[TEACHER].to_numpy() == table[STUDENT].to_numpy()
    return (
        accuracy("agreement", ALL_ROWS, np.asarray(same, dtype=np.bool_), clusters, level),
        accuracy("negative_flip_rate", ALL_ROWS, teacher & ~student, clusters, level),
        accuracy("positive_flip_rate", ALL_ROWS, student & ~teacher, clusters, level),
        _divergence(table, labels, level),
    )


def divergence(teacher: NDArray[np.float64], student: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL(teacher ‖ student) of each row [n], in nats; probabilities [n, labels]."""
    teacher = np.maximum(teacher, SMALLEST_PROBABILITY)
    student = np.maximum(student, SMALLEST_PROBABILITY)
    return np.asarray((teacher * (np.log(teacher) - np.log(student))).sum(1), dtype=np.float64)


def _divergence(table: pd.DataFrame, labels: tuple[str, ...], level: float) -> Measurement:
    columns = {model: [f"{model}_probability_{label}" for label in labels] for model in (TEACHER, STUDENT)}
    absent = [model for model, names in columns.items() if any(name not in table.columns for name in names)]
    value = (
        NotEstimable(reason=f"no probabilities of the {' and '.join(absent)} are recorded", n=0)
        if absent
        else mean_interval(
            divergence(
                table[columns[TEACHER]].to_numpy(dtype=np.float64),
                table[columns[STUDENT]].to_numpy(dtype=np.float64),
            ),
            level,
        )
    )
    return Measurement(name="teacher_student_kl", subpopulation=ALL_ROWS, unit="nats", value=value, evidence=EVIDENCE)
