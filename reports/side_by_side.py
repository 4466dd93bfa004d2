"""Latency and cost: the teacher beside the student, void measurements without a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99
from evalkit.record.run_record import LoadReport, ModelSummary, RunRecord
from evalkit.stats.interval import Interval
from reports import numbers
from reports.capacities import capacity_lines, capacity_notes
from reports.costs import cost_lines, price_notes
from reports.line import NOT_COMPARED, NOT_MEASURED, ROLES, VOID, Line, Named, compared
from reports.validity import is_recorded
from reports.words import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """The table, how the load was made, and where the prices come from."""

    lines: tuple[Line, ...]
    load: tuple[str, ...]
    prices: tuple[str, ...]


def side_by_side(record: RunRecord) -> SideBySide:
    """Sizes, latency, throughput and cost of both models."""
    named = {each.name: each for each in record.measurements}
    return SideBySide(
        lines=(
            *_sizes(record),
            *_latencies(record, named),
            *capacity_lines(record, named),
            *cost_lines(record, named),
        ),
        load=(*_load_notes(record), *capacity_notes(record, named)),
        prices=price_notes(record),
    )


def _sizes(record: RunRecord) -> tuple[Line, ...]:
    models = {model.role: model for model in record.models}
    sizes = {role: (model.parameters, model.megabytes) for role, model in models.items()}
    parameters, megabytes = ([sizes.get(role, (None, None))[at] for role in ROLES] for at in (0, 1))
    return (
        Line(
            what="Parameters",
            **{role: _parameters(models.get(role)) for role in ROLES},
            comparison=_how_much_smaller(*parameters),
        ),
        Line(
            what="Model file",
            **{role: _megabytes(models.get(role)) for role in ROLES},
            comparison=_how_much_smaller(*megabytes),
        ),
    )


def _how_much_smaller(teacher: float | None, student: float | None) -> str:
    return f"{numbers.times(teacher / student)} smaller" if teacher and student else NOT_COMPARED


def _parameters(model: ModelSummary | None) -> str:
    if model is None or is_recorded(model):
        return "recorded predictions"
    return "not recorded" if model.parameters is None else numbers.count(model.parameters)


def _megabytes(model: ModelSummary | None) -> str:
    if model is None or model.megabytes is None:
        return "recorded predictions"
    return f"{numbers.significant(model.megabytes)} MB"


def _latencies(record: RunRecord, named: Named) -> list[Line]:
    loads = {load.role: load for load in record.loads}

    def both(figure: str) -> dict[str, str]:
        return {role: _figure(figure, loads.get(role), named, role) for role in ROLES}

    comparisons = {
        "p50_ms": compared(named, SPEED_UP, "as fast"),
        "p99_ms": compared(named, SPEED_UP_P99, "as fast") if SPEED_UP_P99 in named else NOT_COMPARED,
    }
    lines = [
        Line(
            what=f"Latency {figure.removesuffix('_ms')}",
            **both(figure),
            comparison=comparisons.get(figure, NOT_COMPARED),
        )
        for figure in ("p50_ms", "p90_ms", "p95_ms", "p99_ms")
    ]
    return [*lines, Line(what="Requests a second, saturated", **both("saturated_rps"))]


def _figure(figure: str, load: LoadReport | None, named: Named, role: str) -> str:
    """A figure only where the measurement behind it stands: a void one leaves no number."""
    if load is None:
        return NOT_MEASURED
    is_rate = figure == "saturated_rps"
    behind = named.get(f"{role}_saturated_rps" if is_rate else f"{role}_p50_ms")
    if behind is None:
        return NOT_MEASURED
    if not isinstance(behind.value, Interval) and (load.saturation_void if is_rate else load.latency_void):
        return VOID
    own = named.get(f"{role}_{figure}")
    write = numbers.significant if is_rate else numbers.milliseconds
    if own is not None and isinstance(own.value, Interval):
        lower, upper = numbers.significant(own.value.lower), numbers.significant(own.value.upper)
        return f"{write(own.value.point)} ({lower} to {upper})"
    value = load.figures.get(figure)
    if value is not None:
        return write(value)
    return NOT_MEASURED if own is None else f"{NOT_MEASURED}: {one_line(getattr(own.value, 'reason', ''))}"


def _load_notes(record: RunRecord) -> tuple[str, ...]:
    if not record.loads:
        return ("No load was put on the models, so nothing is known of their latency.",)
    return tuple(_load_note(load, record.spec.get("load") or {}) for load in record.loads)


def _load_note(load: LoadReport, plan: dict[str, Any]) -> str:
    if load.latency_void:
        reasons = " ".join(one_line(reason) for reason in load.void_reasons)
        return f"{VOID}, {load.role}: {reasons} Figures of a void measurement are not shown."
    saturation = " ".join(one_line(reason) for reason in load.saturation_void_reasons)
    void = f" {VOID}, its saturation: {saturation}" if saturation else ""
    cores = ", ".join(
        f"{who} on core {load.pinning[f'{who}_core']}"
        for who in ("server", "generator")
        if load.pinning.get(f"{who}_core") is not None
    )
    parts = [
        (
            f"{load.role.capitalize()}: open loop, {plan.get('arrivals', 'planned')} arrivals at "
            f"{numbers.stated(load.rate_rps)} requests a second, {numbers.count(load.requests)} requests counted"
        ),
        f"latency from the intended send; measured {numbers.moment(load.measured_at)}, {load.pinning.get('provider')}",
        *([cores] if cores else []),
    ]
    return "; ".join(parts) + "." + void
