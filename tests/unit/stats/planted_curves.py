"""Students of a known learning curve, answering one set of rows with their teacher."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from evalkit.stats.curve_points import CurvePoints, curve_points

ROWS = np.array([1_000, 2_500, 5_000, 10_000])
TEACHER = 0.85
ALIKE = 0.8
"""The share of what decides whether an answer is right that lies in the row: students and teacher fail on the same."""


def planted_points(
    rng: np.random.Generator,
    asymptote: float,
    gain: float,
    exponent: float,
    *,
    rows: np.ndarray = ROWS,
    measured: int = 1600,
    seeds: int = 1,
    training_noise: float = 0.0,
) -> CurvePoints:
    """harm(n) = asymptote + gain · (n / largest)^−exponent; each training's accuracy is off by ``training_noise``."""
    harm = asymptote + gain * (rows / rows[-1]) ** -exponent
    accuracy = TEACHER - harm + training_noise * rng.standard_normal((seeds, len(rows)))
    of_row = rng.standard_normal(measured)
    of_teacher = np.sqrt(ALIKE) * of_row + np.sqrt(1 - ALIKE) * rng.standard_normal(measured)
    own = rng.standard_normal((seeds, measured, len(rows)))
    of_student = np.sqrt(ALIKE) * of_row[np.newaxis, :, np.newaxis] + np.sqrt(1 - ALIKE) * own
    right = of_student < norm.ppf(accuracy)[:, np.newaxis, :]
    return curve_points(rows, right, of_teacher < norm.ppf(TEACHER), None)


def rows_at(bar: float, asymptote: float, gain: float, exponent: float, largest: int = 10_000) -> float:
    """The true rows needed."""
    return np.inf if asymptote >= -bar else largest * (gain / (-bar - asymptote)) ** (1 / exponent)
