"""Distribution mismatch as the student sees it: are its probabilities other on production texts?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from evalkit.diagnosis.coverage import MOST_EXAMPLES, shown
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.population_stability import population_stability
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.multiplicity import holm

DISTANCE = "held_out_against_production_probability_distance"
FEWEST_TEXTS = 200
ALARM_P = 0.01
ALARM_DISTANCE = 0.05
"""What a Kolmogorov-Smirnov distance must exceed to matter: one text in twenty moved. A convention."""
PRACTICE = "look at the production texts named here; draw the held-out set anew from production, then repeat the gate"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worst:
    """The class whose probabilities have moved farthest."""

    label: str
    column: int
    distance: float
    p: float
    rises: bool


def prediction_shift(
    held_out: Floats, production: Floats, labels: Sequence[str], texts: Sequence[str], level: float
) -> Finding:
    """Kolmogorov-Smirnov per class on the student's probabilities, held-out [n, labels] against production [m, labels].

    It fires where the smallest p by Holm is below .01 and the distance's lower bound above 0.05. The bounds are those
    of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (1990, Annals of Probability 18, 1269–1283) for both
    samples and all classes together. Of two classes one says everything. ``texts`` [m] are the production texts; rows
    are taken as independent. Not estimable below 200 texts on a side.
    Source: black-box shift detection, Lipton, Wang & Smola 2018; Rabanser et al. 2019, "Failing loudly".
    Raises ValueError for other numbers of labels or texts.
    """
    if held_out.shape[1] != len(labels) or production.shape != (len(texts), len(labels)):
        raise ValueError(
            f"probabilities are {held_out.shape} and {production.shape} for {len(labels)} labels and {len(texts)} "
            "texts; give one column a label and one row a text"
        )
    smaller = min(len(held_out), len(production))
    if smaller < FEWEST_TEXTS:
        reason = f"{smaller} texts on the smaller side; {FEWEST_TEXTS} are needed"
        return _finding(NotEstimable(reason=reason, n=smaller, n_needed=FEWEST_TEXTS), f"not measured: {reason}")
    columns = range(len(labels)) if len(labels) > 2 else [len(labels) - 1]
    worst = _farthest(held_out, production, labels, columns)
    value = _bounds(worst.distance, len(held_out), len(production), len(columns), level)
    explanation = _explain(worst, value, held_out, production)
    if worst.p >= ALARM_P or value.lower <= ALARM_DISTANCE:
        return _finding(value, explanation)
    order = np.argsort(production[:, worst.column] * (-1 if worst.rises else 1), kind="stable")
    examples = tuple(dict.fromkeys(shown(texts[index]) for index in order))[:MOST_EXAMPLES]
    return _finding(value, explanation, examples)


def _finding(value: Interval | NotEstimable, explanation: str, examples: tuple[str, ...] = ()) -> Finding:
    """Fired where there are ``examples``."""
    return Finding(
        failure_mode=FailureMode.DISTRIBUTION_MISMATCH,
        measurement=Measurement(
            name=DISTANCE, subpopulation=ALL_ROWS, unit="distance", value=value, evidence="production.parquet"
        ),
        fired=bool(examples),
        explanation=explanation,
        corrective_practice=PRACTICE,
        examples=examples,
    )


def _farthest(held_out: Floats, production: Floats, labels: Sequence[str], columns: Sequence[int]) -> _Worst:
    tests = [ks_2samp(held_out[:, column], production[:, column], method="asymp") for column in columns]
    adjusted = holm([float(test.pvalue) for test in tests])
    index = max(range(len(tests)), key=lambda number: float(tests[number].statistic))
    column = columns[index]
    return _Worst(
        label=labels[column],
        column=column,
        distance=float(tests[index].statistic),
        p=float(adjusted[index]),
        rises=bool(production[:, column].mean() > held_out[:, column].mean()),
    )


def _bounds(distance: float, n: int, m: int, classes: int, level: float) -> Interval:
    half = sum(math.sqrt(math.log(4 * classes / (1 - level)) / (2 * size)) for size in (n, m))
    return Interval(
        point=distance,
        lower=max(0.0, distance - half),
        upper=min(1.0, distance + half),
        level=level,
        n=n + m,
        method="Kolmogorov-Smirnov distance, Dvoretzky-Kiefer-Wolfowitz bounds for all classes",
    )


def _explain(worst: _Worst, value: Interval, held_out: Floats, production: Floats) -> str:
    answers = [np.bincount(each.argmax(1), minlength=held_out.shape[1]) for each in (held_out, production)]
    moved = "higher" if worst.rises else "lower"
    return (
        f"on production texts the student's probability of {worst.label} is {moved}: Kolmogorov-Smirnov distance "
        f"{value.point:.2f} ({value.lower:.2f} to {value.upper:.2f}; alarm when the lower bound is above "
        f"{ALARM_DISTANCE} and p, here {worst.p:.2g}, below {ALARM_P}); stability index of its answers "
        f"{population_stability(*answers):.2f}"
    )
