"""How often teacher and student disagree in a part of the rows: observed where something was, assumed elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.planning.assumptions import Assumptions, accuracies

PRIOR_ROWS = 100
"""A group's observed share is averaged with that of all rows as if the latter had been seen on this many rows."""
OWN = 0.9
"""Above this weight of its own rows a group's share is called observed, and not shrunk."""
STEP = 1000
"""Observed discordance is rounded up to whole thousandths, so that groups alike share one calculation."""

ASSUMED, OBSERVED = "assumed", "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Who was right on each held-out row, [n], and where that is known from."""

    source: str
    teacher: NDArray[np.bool_] | None
    student: NDArray[np.bool_] | None

    @property
    def paired(self) -> bool:
        """Whether the discordance is known."""
        return self.teacher is not None and self.student is not None


NOTHING = Observed(source="nothing was recorded yet", teacher=None, student=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is expected of a part of the rows. ``own_weight`` is the share that its own rows have in an observed
    discordance; None where it is assumed."""

    difference: float
    discordance: float
    teacher_accuracy: float
    own_weight: float | None

    @property
    def discordance_from(self) -> str:
        """assumed, observed, or observed and shrunk."""
        if self.own_weight is None:
            return ASSUMED
        if self.own_weight >= OWN:
            return OBSERVED
        return f"observed, shrunk toward all rows (own rows weigh {self.own_weight:.0%})"

    @property
    def chances(self) -> NDArray[np.float64]:
        """Probability of both right, only the student, only the teacher, neither: [4]."""
        gained, lost = (self.discordance + self.difference) / 2.0, (self.discordance - self.difference) / 2.0
        cells = np.array([self.teacher_accuracy - lost, gained, lost, 1.0 - self.teacher_accuracy - gained])
        cells = np.clip(cells, 0.0, 1.0)
        return np.asarray(cells / cells.sum(), dtype=np.float64)


def overall_rates(observed: Observed, assumptions: Assumptions) -> Rates:
    """The rates over all rows. Without one discordant row among n it is taken for 1/n: none was seen, not none is."""
    accuracy = assumptions.teacher_accuracy if observed.teacher is None else float(observed.teacher.mean())
    if observed.teacher is None or observed.student is None:
        return _possible(assumptions.difference, assumptions.discordance, accuracy, None)
    different = observed.teacher != observed.student
    seen = max(float(different.mean()), 1.0 / len(different))
    return _possible(assumptions.difference, _rounded_up(seen), accuracy, 1.0)


def rates_of(observed: Observed, rows: NDArray[np.int64], overall: Rates) -> Rates:
    """The rates in ``rows``: (k + 100 · share of all rows) ÷ (n + 100) for k of n rows, the posterior mean of a
    beta prior that weighs 100 rows, so that no small group counts as never disagreeing."""
    accuracy, weight = overall.teacher_accuracy, len(rows) / (len(rows) + PRIOR_ROWS)
    if observed.teacher is not None:
        accuracy = _shrunk(observed.teacher[rows], overall.teacher_accuracy)
    if observed.teacher is None or observed.student is None:
        return _possible(overall.difference, overall.discordance, accuracy, None)
    discordance = _shrunk(observed.teacher[rows] != observed.student[rows], overall.discordance)
    return _possible(overall.difference, _rounded_up(discordance), accuracy, weight)


def with_difference(rates: Rates, difference: float) -> Rates:
    """The same rows at another true difference; the discordance rises where it must."""
    return _possible(difference, rates.discordance, rates.teacher_accuracy, rates.own_weight)


def with_accuracy(rates: Rates, accuracy: float, difference: float) -> Rates:
    """The same rows with another teacher and another true difference."""
    return _possible(difference, rates.discordance, accuracy, rates.own_weight)


def _possible(difference: float, discordance: float, accuracy: float, weight: float | None) -> Rates:
    """Rates that can be true together: a difference needs that much discordance, and both a fitting accuracy."""
    discordance = max(discordance, abs(difference))
    lowest, highest = accuracies(difference, discordance)
    return Rates(
        difference=difference,
        discordance=discordance,
        teacher_accuracy=min(max(accuracy, lowest), highest),
        own_weight=weight,
    )


def _shrunk(hits: NDArray[np.bool_], toward: float) -> float:
    return (float(hits.sum()) + PRIOR_ROWS * toward) / (len(hits) + PRIOR_ROWS)


def _rounded_up(share: float) -> float:
    return min(1.0, math.ceil(share * STEP - 1e-9) / STEP)
