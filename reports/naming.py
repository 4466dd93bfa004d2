"""What a measurement is called, and in which unit it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.identity import AGREEMENT, DIVERGENCE
from evalkit.decision.requirement import (
    METRIC_GAP,
    QUERIES,
    ROWS,
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    TEACHER_ACCURACY,
    UNSPENT_ERROR,
    Direction,
    Requirement,
)
from evalkit.decision.wording import IF_RIGHT
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import WEIGHTED
from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS
from reports import numbers
from reports.words import one_line


@dataclass(frozen=True, slots=True)
class Quantity:
    """``number`` writes a value without its unit, ``stated`` a bound that a person wrote down. ``short`` is the label
    beside a subpopulation. Of a metric only the width of an interval says how many decimals mean something:
    ``number`` is then None."""

    label: str
    unit: str
    number: Callable[[float], str] | None
    stated: Callable[[float], str] = numbers.stated
    short: str = ""

    def with_unit(self, number: str) -> str:
        return f"{number} {self.unit}" if self.unit else number


def _share(label: str, short: str = "") -> Quantity:
    """A share of rows, read in per cent."""
    return Quantity(
        label,
        "%",
        lambda share: numbers.percent(share).removesuffix(" %"),
        lambda share: numbers.stated(100 * share),
        short,
    )


KNOWN = {
    GAP: Quantity(
        "Accuracy gap, student − teacher", "points", numbers.points, numbers.stated_points, short="Accuracy gap"
    ),
    RETENTION: _share("Retention, student ÷ teacher accuracy", short="Retention"),
    STUDENT_P50: Quantity("Student latency, p50", "ms", numbers.significant),
    STUDENT_P99: Quantity("Student latency, p99", "ms", numbers.significant),
    SPEED_UP: Quantity("Speed-up at p50", "×", numbers.significant),
    SPEED_UP_P99: Quantity("Speed-up at p99", "×", numbers.significant),
    REDUCTION: Quantity("Cost reduction", "×", numbers.significant),
    TEACHER_ACCURACY: _share("Teacher accuracy"),
    "student_accuracy": _share("Student accuracy"),
    AGREEMENT: _share("Agreement: both give the same answer"),
    "negative_flip_rate": _share("Negative flips: teacher right, student wrong"),
    "positive_flip_rate": _share("Positive flips: student right, teacher wrong"),
    DIVERGENCE: Quantity("KL divergence, teacher ‖ student", "nats", numbers.significant),
    "teacher_p50_ms": Quantity("Teacher latency, p50", "ms", numbers.significant),
    "teacher_p99_ms": Quantity("Teacher latency, p99", "ms", numbers.significant),
    **{
        f"{role}_{name}": Quantity(f"{role.capitalize()} {label}", unit, numbers.significant)
        for role in ("teacher", "student")
        for name, label, unit in (
            ("saturated_rps", "throughput, saturated", "requests/s"),
            ("capacity_rps", "capacity, p99 within its limit", "requests/s"),
            ("usd_per_million_requests", "cost", "USD per million requests"),
        )
    },
    UNSPENT_ERROR: Quantity("Error left to spend on this look", "", numbers.significant, lambda _: "some"),
}


def quantity(name: str, unit: str = "") -> Quantity:
    """How ``name`` is read; an unknown one under its own name, with three significant digits, in its own ``unit``.

    >>> quantity("student_p99_ms").label, quantity("student_minus_teacher_macro_f1", "mean F1").unit
    ('Student latency, p99', 'mean F1')
    """
    if name != as_counted(name):
        known = quantity(as_counted(name), unit)
        return replace(known, label=f"{known.label}, {IF_RIGHT}", short=known.short and f"{known.short}, {IF_RIGHT}")
    if name in KNOWN:
        return KNOWN[name]
    if not name.startswith(METRIC_GAP):
        return Quantity(one_line(name), _unit(name, unit), numbers.significant)
    metric = one_line(name.removeprefix(METRIC_GAP))
    return Quantity(
        f"Gap in {metric}, student − teacher",
        _unit(metric, unit),
        None,
        numbers.stated_signed,
        short=f"Gap in {metric}",
    )


def _unit(name: str, unit: str) -> str:
    """The unit without its remarks; none where it only says the name again, as that of a user's own function."""
    return "" if name in unit else one_line(unit.partition(" (")[0])


def estimate_text(name: str, value: Estimate, unit: str = "") -> str:
    """Point and interval with the unit, or why there is none.

    >>> gap = Interval(point=-0.03, lower=-0.05, upper=-0.01, level=0.9, n=10, method="")
    >>> estimate_text("student_minus_teacher_accuracy", gap)
    '−3.0 (−5.0 to −1.0) points'
    """
    if not isinstance(value, Interval):
        return f"not measured: {one_line(value.reason)}"
    known = quantity(name, unit)
    return known.with_unit(with_interval(value, known.number or signed_for(value)))


def with_interval(value: Interval, write: Callable[[float], str]) -> str:
    """The point, and both ends where they differ."""
    if value.lower == value.upper:
        return write(value.point)
    return f"{write(value.point)} ({write(value.lower)} to {write(value.upper)})"


def plain_for(value: Interval) -> Callable[[float], str]:
    """Writes with as many decimals as the interval's width is known to."""
    decimals = numbers.decimals_for(value.upper - value.lower)
    return lambda number: numbers.fixed(number, decimals)


def signed_for(value: Interval) -> Callable[[float], str]:
    """The same with a sign."""
    decimals = numbers.decimals_for(value.upper - value.lower)
    return lambda number: numbers.fixed_signed(number, decimals)


def bound_text(claim: Requirement) -> str:
    """The bar, in words; that of a metric in the unit that stands beside what was measured."""
    known = quantity(claim.measurement)
    bound = known.with_unit(known.stated(claim.bound))
    if claim.measurement.startswith(METRIC_GAP):
        return f"no worse than {bound}"
    return f"at least {bound}" if claim.direction is Direction.ABOVE else f"at most {bound}"


def claim_name(claim: Requirement) -> str:
    """What is claimed, and of whom where that is not the whole: latency and cost have no subpopulations."""
    known = quantity(claim.measurement)
    if claim.subpopulation == ALL_ROWS and not known.short:
        return known.label
    return f"{known.short or known.label}, {where(claim.subpopulation, claim.units)}"


def units_of(record: RunRecord) -> str:
    """What answers are counted in: rows, or in ranking queries."""
    return QUERIES if record.task.get("kind") == "ranking" else ROWS


def where(subpopulation: str, units: str = ROWS) -> str:
    """A subpopulation's name; that of all rows in words, in the ``units`` that are counted.

    >>> where("all"), where("all, weighted by channel"), where("channel=tweet")
    ('all rows', 'all rows, weighted by channel', 'channel=tweet')
    >>> where("all", "queries")
    'all queries'
    """
    if subpopulation == ALL_ROWS:
        return f"all {units}"
    if subpopulation.startswith(WEIGHTED):
        return f"all {units}, weighted by {one_line(subpopulation.removeprefix(WEIGHTED))}"
    return one_line(subpopulation)
