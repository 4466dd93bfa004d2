"""Wrong metric: the aggregate passes while a declared subpopulation has lost more than its margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalkit.data.subpopulations import Group
from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired_difference import p_worse

NEGATIVE_FLIPS = "negative_flip_rate"
PRACTICE = (
    "add training text of that subpopulation with the teacher's outputs, weight it in the loss, or keep the teacher "
    "for it"
)


def hidden_degradation(
    measurements: Sequence[Measurement], groups: Sequence[Group], overall_margin: float | None, confidence: float
) -> Finding | None:
    """Fires where the overall gap is shown inside its margin and some group is shown outside its own (Holm
    over all groups). None where no group has a gap that can be estimated, or nothing is asked of the whole."""
    if overall_margin is None:
        return None
    gaps = {each.subpopulation: each for each in measurements if each.name == GAP}
    overall = gaps.pop(ALL_ROWS, None)
    margins = {group.name: group.margin for group in groups if group.margin is not None}
    known = {name: each for name, each in gaps.items() if isinstance(each.value, Interval) and name in margins}
    if overall is None or not isinstance(overall.value, Interval) or not known:
        return None
    harmed = _harmed(known, margins, confidence)
    worst = min(harmed or known, key=lambda name: known[name].value.point + margins[name])  # type: ignore[union-attr]
    aggregate_passes = overall.value.lower > -overall_margin
    explanation = _explain(known[worst], margins[worst], len(harmed), aggregate_passes=aggregate_passes)
    return Finding(
        failure_mode=FailureMode.WRONG_METRIC,
        measurement=known[worst],
        fired=bool(harmed) and aggregate_passes,
        explanation=explanation + _flips(measurements),
        corrective_practice=PRACTICE,
    )


def _harmed(known: Mapping[str, Measurement], margins: Mapping[str, float], confidence: float) -> list[str]:
    names = [name for name, each in known.items() if each.counts is not None]
    raw = [p_worse(counts, margins[name]) for name in names if (counts := known[name].counts) is not None]
    return [name for name, p in zip(names, holm(raw), strict=True) if p <= 1.0 - confidence]


def _explain(worst: Measurement, margin: float, harmed: int, *, aggregate_passes: bool) -> str:
    assert isinstance(worst.value, Interval)
    aggregate = "the aggregate gap is inside its margin" if aggregate_passes else "the aggregate does not pass either"
    gap = points(worst.value.point)
    return (
        f"{harmed} subpopulations are shown outside their margin and {aggregate}; farthest out is "
        f"{worst.subpopulation} at {gap} points (allowed −{100 * margin:.1f})"
    )


def _flips(measurements: Sequence[Measurement]) -> str:
    """What the aggregate gap hides too: rows lost that other rows won make up for."""
    rate = next((each.value for each in measurements if each.name == NEGATIVE_FLIPS), None)
    if not isinstance(rate, Interval):
        return ""
    return f"; over all, {rate.point:.1%} ({rate.lower:.1%} to {rate.upper:.1%}) are lost that the teacher had right"


def points(share: float) -> str:
    """A difference of shares in percentage points, signed.

    >>> points(-0.0312)
    '−3.1'
    """
    return f"{100 * share:+.1f}".replace("-", "−")
