"""Metrics beside accuracy: both models' values and the paired gap, as a bootstrap would leave them."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.decision.requirement import METRIC_GAP
from evalkit.quality.metrics.catalogue import metric
from evalkit.spec.gate import GateSpec
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from tests.unit.reports.measured import LEVEL, of

OWN = "shop.scores:refund_weighted_accuracy"
BCA = "paired BCa bootstrap"


def scored(
    name: str, teacher: float, student: float, *, off: float = 0.01, n: int = 10_800, where: str = ALL_ROWS
) -> tuple[Measurement, ...]:
    """A classification metric of both models and its gap, each with ends ``off`` away."""
    unit = unit_of(name)

    def estimate(point: float) -> Interval:
        return Interval(point=point, lower=point - off, upper=point + off, level=LEVEL, n=n, method=BCA)

    return (
        of(f"{METRIC_GAP}{name}", estimate(student - teacher), where, unit=unit),
        of(f"teacher_{name}", estimate(teacher), where, unit=unit),
        of(f"student_{name}", estimate(student), where, unit=unit),
    )


def unscored(name: str, reason: str, where: str = ALL_ROWS) -> tuple[Measurement, ...]:
    """A metric that could not be computed of either model."""
    nothing: Estimate = NotEstimable(reason=reason, n=0)
    names = (f"{METRIC_GAP}{name}", f"teacher_{name}", f"student_{name}")
    return tuple(of(each, nothing, where, unit=unit_of(name)) for each in names)


def unit_of(name: str) -> str:
    """The unit that the catalogue states, or that of a user's own function."""
    return f"as {name} defines it" if is_own(name) else metric(name, "classification").unit


def is_own(name: str) -> bool:
    return "." in name.partition(":")[0]


def directions(spec: GateSpec) -> Mapping[str, bool]:
    """Whether more is better, of each metric that the spec has a bar for."""
    names = [each.metric for each in spec.requirements.quality.metrics]
    return {name: is_own(name) or metric(name, "classification").higher_is_better for name in names}
