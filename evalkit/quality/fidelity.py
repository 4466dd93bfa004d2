"""How closely the student follows its teacher, whoever is right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.truth import CLASSIFICATION, MULTILABEL
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.quality.paired_gap import EVIDENCE, accuracy, equal, right
from evalkit.spec.gate import OUTSIDE
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

SMALLEST_PROBABILITY = 1e-8
SUM_TOLERANCE = 1e-3
MOST_DRAWN = 20_000
"""More units than these are put together at random before they are drawn: their sums vary as before, and drawing
them takes seconds less."""

Floats = NDArray[np.float64]


def fidelity_measurements(
    table: pd.DataFrame, kind: str, labels: tuple[str, ...], cluster: str | None, level: float, rng: np.random.Generator
) -> tuple[Measurement, ...]:
    """Top-1 agreement, negative and positive flip rate, and KL(teacher ‖ student) in nats.

    Two answers outside the labels agree on no label, so they do not agree.
    ``table`` has one row a unit (ranking: one a query), ``labels`` are the task's, none where it has none. In
    multilabel the divergence is that of independent labels, summed. Its interval is the paired BCa bootstrap's, of
    whole clusters where rows share one: a mean of skewed values is no t statistic. There is none where a model
    gives no probabilities or gives what cannot be any.
    """
    clusters = None if cluster is None else pd.factorize(table[cluster])[0]
    teacher, student = right(table, TEACHER), right(table, STUDENT)
    return (
        accuracy("agreement", ALL_ROWS, _agree(table, kind), clusters, level),
        accuracy("negative_flip_rate", ALL_ROWS, teacher & ~student, clusters, level),
        accuracy("positive_flip_rate", ALL_ROWS, student & ~teacher, clusters, level),
        Measurement(
            name="teacher_student_kl",
            subpopulation=ALL_ROWS,
            unit="nats",
            value=_mean_divergence(table, kind, labels, clusters, level, rng),
            evidence=EVIDENCE,
        ),
    )


def _agree(table: pd.DataFrame, kind: str) -> NDArray[np.bool_]:
    same = equal(table[TEACHER], table[STUDENT])
    return same & (table[TEACHER] != OUTSIDE).to_numpy(dtype=np.bool_) if kind == CLASSIFICATION else same


def divergence(teacher: Floats, student: Floats) -> Floats:
    """KL(teacher ‖ student) of each row [n], in nats; probabilities [n, labels].

    Probabilities below 10⁻⁸ count as 10⁻⁸: a student that rules out what its teacher says is at most
    18.4 nats away and not infinitely far.
    """
    teacher = np.maximum(teacher, SMALLEST_PROBABILITY)
    student = np.maximum(student, SMALLEST_PROBABILITY)
    return np.asarray((teacher * (np.log(teacher) - np.log(student))).sum(1), dtype=np.float64)


def _mean_divergence(
    table: pd.DataFrame,
    kind: str,
    labels: tuple[str, ...],
    clusters: NDArray[np.int64] | None,
    level: float,
    rng: np.random.Generator,
) -> Estimate:
    if not labels:
        return NotEstimable(reason=f"answers of a {kind} task carry no probabilities", n=0)
    columns = {model: [f"{model}_probability_{label}" for label in labels] for model in (TEACHER, STUDENT)}
    absent = [model for model, names in columns.items() if any(name not in table.columns for name in names)]
    if absent:
        return NotEstimable(reason=f"no probabilities of the {' and '.join(absent)} are recorded", n=0)
    teacher, student = (
        table[columns[model]].to_numpy(dtype=np.float64, na_value=np.nan) for model in (TEACHER, STUDENT)
    )
    impossible = ~(_possible(teacher, kind) & _possible(student, kind))
    if impossible.any():
        return NotEstimable(
            reason=f"{int(impossible.sum())} of {len(table)} rows have numbers that are no probabilities: missing, not "
            f"from 0 to 1{'' if kind == MULTILABEL else ', or without a sum of 1'}",
            n=len(table) - int(impossible.sum()),
        )
    rows = divergence(teacher, student)
    if kind == MULTILABEL:
        rows = rows + divergence(1 - teacher, 1 - student)
    return _mean(rows, clusters, level, rng, raised=int(_ruled_out(teacher, student, kind).sum()))


def _possible(values: Floats, kind: str) -> NDArray[np.bool_]:
    """Whether each row of ``values`` [n, labels] can be probabilities."""
    fine = ((values >= 0) & (values <= 1 + SUM_TOLERANCE)).all(1)
    sums = np.ones(len(values)) if kind == MULTILABEL else values.sum(1)
    return np.asarray(fine & (np.abs(sums - 1) <= SUM_TOLERANCE), dtype=np.bool_)


def _ruled_out(teacher: Floats, student: Floats, kind: str) -> NDArray[np.bool_]:
    """Rows [n] whose divergence would be infinite."""
    infinite = (student == 0) & (teacher > 0)
    if kind == MULTILABEL:
        infinite |= (student == 1) & (teacher < 1)
    return np.asarray(infinite.any(1), dtype=np.bool_)


def _mean(
    values: Floats, clusters: NDArray[np.int64] | None, level: float, rng: np.random.Generator, *, raised: int
) -> Estimate:
    """The mean of ``values`` [n] over rows; ``n`` of the result counts rows or clusters."""
    units = len(values) if clusters is None else len(np.unique(clusters))
    drawn = np.arange(len(values)) if clusters is None else clusters
    if units > MOST_DRAWN:
        drawn = rng.permutation(int(drawn.max()) + 2)[drawn] % MOST_DRAWN
    estimate = bootstrap_sums(
        np.column_stack([values, np.ones(len(values))]),
        lambda sums: sums[..., 0] / sums[..., 1],
        level,
        rng,
        clusters=None if clusters is None and units <= MOST_DRAWN else drawn,
    )
    if not isinstance(estimate, Interval):
        needed = estimate.n_needed
        return replace(estimate, n=units, n_needed=needed and math.ceil(needed * units / max(1, estimate.n)))
    how = estimate.method if clusters is not None else estimate.method.replace("cluster ", "")
    if units > MOST_DRAWN:
        how += f", {MOST_DRAWN} random parts drawn whole"
    if raised:
        how += f"; {raised} infinite rows counted with a student probability of {SMALLEST_PROBABILITY:g}"
    return replace(estimate, n=units, method=how)
