"""The chance that a claim is shown on n rows, and the rows that it needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

from scipy.stats import binom, norm

from evalkit.planning.rates import Rates
from evalkit.stats.interval import Interval
from evalkit.stats.proportions import proportion
from evalkit.stats.retention import tang_z
from evalkit.stats.retention_power import RightRates, power_retained
from evalkit.stats.sample_size import power_not_worse, rows_for_power

MOST_ROWS = 10_000_000

Parts = Sequence[tuple[float, float, Rates]]


def gap_power(n: int, rates: Rates, margin: float, confidence: float) -> float:
    """Exact power of the claim that the gap is within ``margin``."""
    return _gap_power(n, rates.difference, rates.discordance, margin, confidence)


def gap_rows(rates: Rates, margin: float, confidence: float, power: float) -> int | None:
    """Rows that show the gap within ``margin`` with probability ``power``; None where none do, and beyond 10⁷."""
    needed = _gap_rows(rates.difference, rates.discordance, margin, confidence, power)
    return None if needed is None or needed > MOST_ROWS else needed


# Many groups share their size, margin and discordance.
_gap_power = functools.lru_cache(maxsize=4096)(power_not_worse)
_gap_rows = functools.lru_cache(maxsize=4096)(rows_for_power)


def retention_power(n: int, rates: Rates, bar: float, confidence: float) -> float:
    """Power of the claim that retention is above ``bar``, by (nearly exact) enumeration."""
    both, gained, lost, _ = rates.chances.tolist()
    return power_retained(n, RightRates(both, gained, lost), bar, confidence)


def retention_rows(rates: Rates, bar: float, confidence: float, power: float) -> int | None:
    """Rows that show retention above ``bar`` with probability ``power``; None where none do, and beyond 10⁷.

    Starts from ((z_α σ0 + z_β σ1) / μ)²: μ and σ1 are mean and standard deviation of (student right) − bar ·
    (teacher right) on one row, σ0 the deviation that the score test (Tang 2003) estimates when the bar is the truth.
    """
    mean, null_deviation, deviation = _retention_moments(rates, bar)
    if mean <= 0:
        return None
    root = (float(norm.ppf(confidence)) * null_deviation + float(norm.ppf(power)) * deviation) / mean
    start = max(1, math.ceil(root**2))
    return _first_reaching(lambda n: retention_power(n, rates, bar, confidence), start, power)


def accuracy_power(n: int, accuracy: float, bar: float, confidence: float) -> float:
    """Exact probability that the lower bound of a share of n rows lies above ``bar``, if ``accuracy`` is true."""
    first = _fewest_right(n, bar, confidence)
    return float(binom.sf(first - 1, n, accuracy))


def accuracy_rows(accuracy: float, bar: float, confidence: float, power: float) -> int | None:
    """Rows at which the power of ``accuracy_power`` is reached; None where none do, and beyond 10⁷."""
    if accuracy <= bar:
        return None
    return _first_reaching(lambda n: accuracy_power(n, accuracy, bar, confidence), 1, power)


def weighted_power(parts: Parts, margin: float, confidence: float) -> float:
    """Approximate power of the claim that the gap averaged over groups is within ``margin``.

    ``parts`` are (share, rows, rates) of each group; the standard error is √Σ share² (ψ − Δ²) / n. A share of
    production for a group without rows cannot be averaged: the power is 0.
    """
    distance, error = _weighted_moments(parts, margin)
    if error is None:
        return 0.0
    if error == 0:
        return 1.0 if distance > 0 else 0.0
    return float(norm.cdf(distance / error - float(norm.ppf(confidence))))


def weighted_rows(parts: Parts, rows: int, margin: float, confidence: float, power: float) -> int | None:
    """Rows in all, in the proportions of the ``rows`` at hand, for that power; None where none give it."""
    distance, error = _weighted_moments(parts, margin)
    if error is None or distance <= 0:
        return None
    times = (float(norm.ppf(confidence)) + float(norm.ppf(power))) * error / distance
    needed = max(1, math.ceil(rows * times**2))
    return None if needed > MOST_ROWS else needed


def _weighted_moments(parts: Parts, margin: float) -> tuple[float, float | None]:
    """Distance of the weighted gap from −margin and its standard error; no error where a group has no rows."""
    counted = [(share, n, rates) for share, n, rates in parts if share > 0]
    distance = margin + math.fsum(share * rates.difference for share, _, rates in counted)
    if any(n <= 0 for _, n, _ in counted):
        return distance, None
    variance = math.fsum(
        share**2 * max(0.0, rates.discordance - rates.difference**2) / n for share, n, rates in counted
    )
    return distance, math.sqrt(variance)


def _retention_moments(rates: Rates, bar: float) -> tuple[float, float, float]:
    """μ, σ0 and σ1 of one row."""
    both, gained, lost, _ = (float(chance) for chance in rates.chances)
    student, teacher = both + gained, both + lost
    mean = student - bar * teacher
    deviation = math.sqrt(max(0.0, student + bar**2 * teacher - 2 * bar * both - mean**2))
    if teacher == 0:
        return 0.0, 0.0, 0.0
    # tang_z at the expected shares of one row is μ ÷ σ0; at μ = 0 the bar is the truth, and σ0 is σ1.
    score = float(tang_z(both, gained, lost, bar))
    return mean, abs(mean / score) if score else deviation, deviation


def _first_reaching(power_at: Callable[[int], float], start: int, power: float) -> int | None:
    """An n with power_at(n) ≥ power > power_at(n − 1), found by doubling steps from ``start`` and bisection."""
    step, upper = max(1, start // 32), start
    while power_at(upper) < power:
        upper, step = upper + step, 2 * step
        if upper > MOST_ROWS:
            return None
    lower, step = upper, max(1, start // 32)
    while lower > 0 and power_at(lower) >= power:
        lower, step = max(0, lower - step), 2 * step
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if power_at(middle) >= power else (middle, upper)
    return upper


def _fewest_right(n: int, bar: float, confidence: float) -> int:
    """The fewest right rows of n whose lower bound lies above ``bar``; n + 1 where none does."""
    level = 2.0 * confidence - 1.0

    def shown(right: int) -> bool:
        share = proportion(right, n, level)
        return isinstance(share, Interval) and share.lower > bar

    lower, upper = -1, n + 1
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if shown(middle) else (middle, upper)
    return upper
