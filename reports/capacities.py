"""The highest rate at which each model keeps the limit on p99, where it was searched for."""

from __future__ import annotations

from evalkit.record.run_record import LoadReport, RunRecord
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import Measurement
from reports import numbers
from reports.claims import is_void
from reports.line import NOT_MEASURED, ROLES, VOID, Line, Named
from reports.words import one_line


def capacity_of(named: Named, role: str) -> Measurement | None:
    """One model's capacity; None where nobody searched for it."""
    return named.get(f"{role}_capacity_rps")


def capacity_lines(record: RunRecord, named: Named) -> list[Line]:
    """One line with both capacities, or none."""
    found = {role: capacity_of(named, role) for role in ROLES}
    if not any(found.values()):
        return []
    both = {role: NOT_MEASURED if each is None else rate_text(each.value) for role, each in found.items()}
    return [Line(what=f"Requests a second, {_limit(record)}", **both)]


def capacity_notes(record: RunRecord, named: Named) -> tuple[str, ...]:
    """How each capacity was found, what is certified, and whether p99 jumps just above it."""
    loads = {load.role: load for load in record.loads}
    return tuple(
        _note(role, measured, loads[role])
        for role in ROLES
        if role in loads and (measured := capacity_of(named, role)) is not None
    )


def rate_text(value: Estimate) -> str:
    """Requests a second with their interval; VOID, or why there is no number."""
    if not isinstance(value, Interval):
        return VOID if is_void(value) else f"{NOT_MEASURED}: {one_line(value.reason)}"
    if value.lower == value.upper:
        return numbers.significant(value.point)
    lower, upper = numbers.significant(value.lower), numbers.significant(value.upper)
    return f"{numbers.significant(value.point)} ({lower} to {upper})"


def _limit(record: RunRecord) -> str:
    limits = {load.figures["capacity_limit_ms"] for load in record.loads if "capacity_limit_ms" in load.figures}
    return f"p99 ≤ {numbers.stated(limits.pop())} ms" if len(limits) == 1 else "p99 within its limit"


def _note(role: str, measured: Measurement, load: LoadReport) -> str:
    said, figures = f"{role.capitalize()}: capacity searched for", load.figures
    if "capacity_trials" in figures:
        said += f" in {numbers.counted(int(figures['capacity_trials']), 'trial')}"
        said += f" of {numbers.duration(figures['capacity_seconds'])}"
    if not isinstance(measured.value, Interval):
        return f"{said}; not found: {one_line(measured.value.reason)}."
    return f"{said}; {_certified(load)}; {_cliff(load)}."


def _certified(load: LoadReport) -> str:
    certified, confidence = load.figures.get("capacity_certified_rps"), load.figures.get("capacity_confidence")
    if certified is None or confidence is None:
        return "no rate certified by its own requests"
    return (
        f"{numbers.significant(certified)} requests a second certified by their own requests at "
        f"{numbers.confidence(confidence)} confidence"
    )


def _cliff(load: LoadReport) -> str:
    names = ("p99_below_ms", "below_rps", "p99_above_ms", "above_rps")
    found = [load.figures.get(f"capacity_cliff_{name}") for name in names]
    if None in found:
        return "no cliff just above it"
    p99_below, below, p99_above, above = (numbers.significant(each) for each in found if each is not None)
    return (
        f"▲ a cliff: p99 is {p99_below} ms at {below} requests a second and {p99_above} ms at {above}; leave headroom"
    )
