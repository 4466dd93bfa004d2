"""How many rows a claim needs, before anything is labelled and when a claim stays open.

b and c are the rows that only the student and only the teacher get right; Δ = (b − c)/n is the
difference, ψ = (b + c)/n the discordance, and the margin is the loss that is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.stats import norm

from evalkit.stats.exact_power import power_above, require_rates
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.preconditions import require_fraction, require_positive
from evalkit.stats.retention import tang_z
from evalkit.stats.retention_power import RightRates, power_not_retained, power_retained

# Above this many rows the normal approximation stands alone; there it is short of the exact number by
# a few dozen rows (tests compare them).
EXACT_ROWS = 1_000_000

# More further rows than this are not worth naming.
MOST_FURTHER_ROWS = 10_000_000


def feasibility_floor(margin: float, confidence: float) -> int:
    """The fewest rows on which a student that never differs from its teacher can be shown not worse.

    The lower Tango bound with b = c = 0 is −z²/(n + z²); it lies above −margin from
    n = z² (1 − margin) / margin on. Raises ``ValueError`` for arguments outside (0, 1).

    >>> [feasibility_floor(margin, confidence=0.95) for margin in (0.01, 0.02, 0.03, 0.05)]
    [268, 133, 88, 52]
    """
    require_fraction("margin", margin)
    require_fraction("confidence", confidence)
    return max(1, math.ceil(float(norm.ppf(confidence)) ** 2 * (1 - margin) / margin))


def power_not_worse(n: int, difference: float, discordance: float, margin: float, confidence: float) -> float:
    """Exact probability that n rows show Δ > −margin at one-sided ``confidence``, given the true Δ and ψ.

    Raises ``ValueError`` unless n ≥ 1, |Δ| ≤ ψ ≤ 1, and margin and confidence lie in (0, 1).

    >>> round(power_not_worse(600, difference=0.0, discordance=0.1, margin=0.03, confidence=0.95), 3)
    0.741
    """
    require_fraction("margin", margin)
    return power_above(n, difference, discordance, -margin, confidence)


def power_to_fail(n: int, difference: float, discordance: float, margin: float, confidence: float) -> float:
    """Exact probability that n rows show Δ < −margin at one-sided ``confidence``, given the true Δ and ψ.

    It is the mirror of ``power_not_worse``: with the roles swapped, a gain of −Δ is shown to exceed the
    margin. One claim alone; among several a correction takes from it. Raises as ``power_not_worse`` does.

    >>> round(power_to_fail(600, difference=-0.06, discordance=0.1, margin=0.03, confidence=0.95), 3)
    0.788
    """
    require_fraction("margin", margin)
    return power_above(n, -difference, discordance, margin, confidence)


def rows_for_power(difference: float, discordance: float, margin: float, confidence: float, power: float) -> int | None:
    """Rows that show Δ > −margin with probability ``power``; ``None`` where none do (Δ ≤ −margin).

    Starts from (z_α + z_β)² (ψ − Δ²) / (margin + Δ)² and is refined with the exact power, which is
    saw-toothed in n: the result reaches ``power`` and one row less does not. Starts beyond
    ``EXACT_ROWS`` are returned as they are.

    Raises ``ValueError`` unless |Δ| ≤ ψ ≤ 1 and margin, confidence and power lie in (0, 1).

    >>> rows_for_power(0.0, discordance=0.0, margin=0.05, confidence=0.95, power=0.8)
    52
    >>> rows_for_power(-0.05, discordance=0.1, margin=0.05, confidence=0.95, power=0.8) is None
    True
    """
    _require_plan(margin, confidence, power)
    require_rates(difference, discordance)
    if difference <= -margin:
        return None
    if discordance == 0:
        return feasibility_floor(margin, confidence)
    return _rows_above(difference, discordance, -margin, confidence, power)


def further_rows(counts: PairedCounts, margin: float, confidence: float, power: float = 0.8) -> int | None:
    """How many more rows decide an open claim about Δ, if the observed Δ and ψ are the true ones.

    With the observed Δ inside the margin: the rows, less those already there, that show Δ > −margin
    with probability ``power``. Beyond it: those that show Δ < −margin, the same test with student and
    teacher swapped. Never below 1. ``None`` at the margin itself and above ``MOST_FURTHER_ROWS``.
    Without a discordant row it is what is missing to ``feasibility_floor``.

    Raises ``ValueError`` for a margin, confidence or power outside (0, 1).

    >>> identical = PairedCounts(both=30, student_only=0, teacher_only=0, neither=10)
    >>> further_rows(identical, margin=0.05, confidence=0.95)  # 52 − 40
    12
    """
    _require_plan(margin, confidence, power)
    gained, lost, n = counts.student_only, counts.teacher_only, counts.n
    if gained + lost == 0:
        return _beyond(feasibility_floor(margin, confidence), n)
    difference, discordance = (gained - lost) / n, (gained + lost) / n
    if difference == -margin:
        return None
    if difference > -margin:
        return _beyond(_rows_above(difference, discordance, -margin, confidence, power), n)
    return _beyond(_rows_above(-difference, discordance, margin, confidence, power), n)


def further_rows_retention(counts: PairedCounts, bar: float, confidence: float, power: float = 0.8) -> int | None:
    """How many more rows decide an open claim about retention, if the observed rates are the true ones.

    Starts from N = (z_α σ0 + z_β σ1)² / μ², with μ and σ1 the mean and standard deviation of (student
    right) − bar · (teacher right) on one row, and σ0 its standard deviation under retention = bar, as
    the score test estimates it, and is refined with ``power_retained`` or, where the observed
    retention is below the bar, ``power_not_retained``: N rows reach ``power`` and one less does not.
    Never below 1. ``None`` at the bar itself, above ``MOST_FURTHER_ROWS`` and where the teacher has no
    right row.

    Raises ``ValueError`` for a bar that is not positive, or confidence or power outside (0, 1).

    >>> alike = PairedCounts(both=40, student_only=0, teacher_only=0, neither=10)
    >>> further_rows_retention(alike, bar=0.95, confidence=0.95)  # 68 rows hold 52 right ones with 80 % chance
    18
    """
    require_positive("bar", bar)
    _require_plan(0.5, confidence, power)
    n = counts.n
    if counts.teacher_right == 0 or counts.student_right / counts.teacher_right == bar:
        return None
    student, teacher, both = counts.student_right / n, counts.teacher_right / n, counts.both / n
    mean = student - bar * teacher
    deviation = math.sqrt(max(0.0, student + bar**2 * teacher - 2 * bar * both - mean**2))
    z_now = abs(float(tang_z(counts.both, counts.student_only, counts.teacher_only, bar)))
    if mean == 0 or z_now == 0:  # at the bar but for rounding
        return None
    # The statistic of the present rows is sqrt(n) |μ| / σ0, which gives σ0 / |μ| without a second formula.
    null_part = float(norm.ppf(confidence)) * math.sqrt(n) / z_now
    start = math.ceil((null_part + float(norm.ppf(power)) * deviation / abs(mean)) ** 2)
    if start - n > MOST_FURTHER_ROWS:
        return None
    power_at = power_retained if mean > 0 else power_not_retained
    rates = RightRates(both, counts.student_only / n, counts.teacher_only / n)
    rows = _first_reaching(lambda rows: power_at(rows, rates, bar, confidence), max(1, start), start // 32, power)
    return _beyond(rows, n)


def _require_plan(margin: float, confidence: float, power: float) -> None:
    require_fraction("margin", margin)
    require_fraction("confidence", confidence)
    require_fraction("power", power)


def _beyond(rows: int, present: int) -> int | None:
    further = max(1, rows - present)
    return further if further <= MOST_FURTHER_ROWS else None


def _rows_above(difference: float, discordance: float, null: float, confidence: float, power: float) -> int:
    z = float(norm.ppf(confidence)) + float(norm.ppf(power))
    start = math.ceil(z**2 * max(0.0, discordance - difference**2) / (difference - null) ** 2)
    if start > EXACT_ROWS:
        return start
    return _first_reaching(
        lambda n: power_above(n, difference, discordance, null, confidence), max(1, start), start // 4, power
    )


def _first_reaching(power_at: Callable[[int], float], start: int, step: int, power: float) -> int:
    """An n with power_at(n) ≥ power > power_at(n − 1), found by bisection around ``start``."""
    step = max(1, step)
    lower = upper = start
    while power_at(upper) < power:
        lower, upper, step = upper, upper + step, 2 * step
    while lower > 0 and power_at(lower) >= power:
        lower, upper, step = max(0, lower - step), lower, 2 * step
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if power_at(middle) >= power else (middle, upper)
    return upper
