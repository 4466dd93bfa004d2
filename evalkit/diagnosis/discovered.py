"""Wrong metric: the aggregate hides a subpopulation that nobody declared."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.hidden_degradation import PRACTICE, points
from evalkit.quality.discovery.discovered import Discovered, DiscoveryResult
from evalkit.stats.interval import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired_difference import p_worse


def discovered_finding(result: DiscoveryResult, margin: float | None, confidence: float) -> Finding | None:
    """Fires where a confirmed subpopulation is not shown to be inside ``margin`` (None: any confirmed one).

    The explanation says how many are shown outside it (Holm over the confirmed ones, at ``confidence``). None where
    nothing was tested.
    """
    tested = [each for each in result.candidates if isinstance(each.gap.value, Interval)]
    if not tested:
        return None
    harmful = [each for each in tested if each.confirmed and not _is_inside(each, margin)]
    worst = min(harmful or tested, key=_point)
    return Finding(
        failure_mode=FailureMode.WRONG_METRIC,
        measurement=worst.gap,
        fired=bool(harmful),
        explanation=_explain(result, harmful, worst, margin, confidence),
        corrective_practice=PRACTICE,
    )


def _is_inside(each: Discovered, margin: float | None) -> bool:
    return margin is not None and isinstance(each.gap.value, Interval) and each.gap.value.lower > -margin


def _point(each: Discovered) -> float:
    assert isinstance(each.gap.value, Interval)
    return each.gap.value.point


def _explain(
    result: DiscoveryResult, harmful: Sequence[Discovered], worst: Discovered, margin: float | None, confidence: float
) -> str:
    searched = f"{len(result.candidates)} undeclared subpopulations were found on one half of the rows"
    confirmed = f"{len(result.confirmed)} are confirmed on the other to lose more than the other rows"
    if not harmful:
        inside = ", all shown inside their margin" if result.confirmed else ""
        return f"{searched}, {confirmed}{inside}"
    outside = "" if margin is None else f", {_shown_outside(result.confirmed, margin, confidence)} shown outside"
    allowed = "" if margin is None else f" (allowed −{100 * margin:.1f})"
    others = "" if worst.gap_of_others is None else f", the other rows at {points(worst.gap_of_others)}"
    return (
        f"{searched}, {confirmed}{outside}; farthest out is {worst.name} at {points(_point(worst))} points{allowed}"
        f"{others}"
    )


def _shown_outside(confirmed: Sequence[Discovered], margin: float, confidence: float) -> int:
    raw = [p_worse(each.gap.counts, margin) for each in confirmed if each.gap.counts is not None]
    return int((holm(raw) <= 1.0 - confidence).sum())
