"""Latency and cost: the teacher beside the student, void measurements without a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.cost.per_request import REDUCTION
from evalkit.decision.requirement import SPEED_UP
from evalkit.record.run_record import LoadReport, ModelSummary, RunRecord
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement
from reports import numbers
from reports.claims import is_void
from reports.naming import estimate_text
from reports.validity import is_recorded
from reports.words import one_line

ROLES = ("teacher", "student")
NOT_MEASURED, NOT_COMPARED = "not measured", "not compared"
VOID = "■ VOID"
Named = Mapping[str, Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One quantity of both models, and what follows from the two."""

    what: str
    teacher: str
    student: str
    comparison: str = NOT_COMPARED


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
        lines=(*_sizes(record), *_latencies(record, named), *_costs(record, named)),
        load=_load_notes(record),
        prices=_price_notes(record),
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

    comparisons = {"p50_ms": _compared(named, SPEED_UP, "as fast")}
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
    behind = named.get(f"{role}_saturated_rps" if figure == "saturated_rps" else f"{role}_p50_ms")
    if behind is None or not isinstance(behind.value, Interval):
        return VOID if load.void_reasons else NOT_MEASURED
    own = named.get(f"{role}_{figure}")
    write = numbers.significant if figure == "saturated_rps" else numbers.milliseconds
    if own is not None and isinstance(own.value, Interval):
        lower, upper = numbers.significant(own.value.lower), numbers.significant(own.value.upper)
        return f"{write(own.value.point)} ({lower} to {upper})"
    value = load.figures.get(figure)
    if value is not None:
        return write(value)
    return NOT_MEASURED if own is None else f"{NOT_MEASURED}: {one_line(getattr(own.value, 'reason', ''))}"


def _costs(record: RunRecord, named: Named) -> list[Line]:
    if record.cost is None:
        return [Line(what="USD per million requests", teacher="no price stated", student="no price stated")]
    per_million = {role: _usd(named.get(f"{role}_usd_per_million_requests")) for role in ROLES}
    lines = [Line(what="USD per million requests", **per_million, comparison=_compared(named, REDUCTION, "cheaper"))]
    if record.cost.get("monthly_requests"):
        lines.append(_monthly(record.cost))
    if record.cost.get("project_usd") is not None:
        lines.append(_break_even(record.cost, named))
    return lines


def _monthly(cost: dict[str, Any]) -> Line:
    bill = cost.get("monthly_usd", {})
    both = {role: numbers.usd(bill[role]) if role in bill else NOT_MEASURED for role in ROLES}
    what = f"Monthly bill, {numbers.count(cost['monthly_requests'])} requests"
    if NOT_MEASURED in both.values():
        return Line(what=what, **both)
    saved = bill["teacher"] - bill["student"]
    how = f"{numbers.usd(saved)} less a month" if saved >= 0 else f"{numbers.usd(-saved)} more a month"
    return Line(what=what, **both, comparison=how)


def _break_even(cost: dict[str, Any], named: Named) -> Line:
    project = f"project cost {numbers.usd(cost['project_usd'])}"
    return Line(what="Break-even", teacher="does not apply", student=project, comparison=_after(cost, named))


def _after(cost: dict[str, Any], named: Named) -> str:
    requests, monthly = cost.get("break_even_requests"), cost.get("monthly_requests")
    if requests is None:
        known = REDUCTION in named and isinstance(named[REDUCTION].value, Interval)
        return "never: the student is not cheaper" if known else "not known"
    after = f"after about {numbers.significant(requests)} requests"
    return f"{after}, {numbers.significant(requests / monthly)} months" if monthly else after


def _usd(measured: Measurement | None) -> str:
    if measured is None:
        return NOT_MEASURED
    value = measured.value
    if not isinstance(value, Interval):
        return VOID if is_void(value) else f"{NOT_MEASURED}: {one_line(value.reason)}"
    if value.lower == value.upper:
        return numbers.usd(value.point)
    return f"{numbers.usd(value.point)} ({_bare_usd(value.lower)} to {_bare_usd(value.upper)})"


def _bare_usd(amount: float) -> str:
    return numbers.usd(amount).removeprefix("USD ")


def _compared(named: Named, name: str, how: str) -> str:
    measured = named.get(name)
    if measured is None:
        return NOT_MEASURED
    if not isinstance(measured.value, Interval):
        return VOID if is_void(measured.value) else estimate_text(name, measured.value)
    return f"{estimate_text(name, measured.value)} {how}"


def _load_notes(record: RunRecord) -> tuple[str, ...]:
    if not record.loads:
        return ("No load was put on the models, so nothing is known of their latency.",)
    return tuple(_load_note(load, record.spec.get("load") or {}) for load in record.loads)


def _load_note(load: LoadReport, plan: dict[str, Any]) -> str:
    if load.void_reasons:
        reasons = " ".join(one_line(reason) for reason in load.void_reasons)
        return f"{VOID}, {load.role}: {reasons} Figures of a void measurement are not shown."
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
    return "; ".join(parts) + "."


def _price_notes(record: RunRecord) -> tuple[str, ...]:
    if record.cost is None:
        return ("No prices are stated, so nothing is known of the cost.",)
    return tuple(_price_note(role, record.cost[role]) for role in ROLES)


def _price_note(role: str, price: dict[str, Any]) -> str:
    if price.get("usd_per_million_requests") is not None:
        amount = f"{numbers.stated_usd(price['usd_per_million_requests'])} per million requests"
    else:
        share = numbers.stated(100 * price["utilisation"])
        amount = f"{numbers.stated_usd(price['usd_per_hour'])} per hour at {share} % of the saturated rate"
    source = one_line(str(price["source"]))
    return f"{role.capitalize()} price: {amount}. Source: {source}, read {price['date']}."
