"""What both models cost, when the project has paid for itself, other machines, and where the prices come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from evalkit.cost.instances import InstanceCost
from evalkit.cost.payback import Payback
from evalkit.cost.per_request import REDUCTION
from evalkit.cost.report import CostReport
from evalkit.cost.stale import StalePrice
from evalkit.record.run_record import RunRecord
from evalkit.spec.cost import ASSUMED_UTILISATION
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from reports import numbers
from reports.capacities import capacity_of, rate_text
from reports.claims import is_void
from reports.line import NOT_MEASURED, ROLES, VOID, Line, Named, compared
from reports.words import one_line

NEVER = "never: the student is not cheaper"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """A model on one machine; ``speed`` says whether its rate was measured, and who states it where it was not."""

    role: str
    name: str
    usd_per_hour: str
    rate: str
    speed: str
    usd_per_million: str
    source: str


def cost_lines(record: RunRecord, named: Named) -> list[Line]:
    """Cost a million requests and a month, machines that stand ready, break-even and payback time."""
    cost = record.cost
    if cost is None:
        return [Line(what="USD per million requests", teacher="no price stated", student="no price stated")]
    per_million = {role: _usd_of(named, role) for role in ROLES}
    lines = [Line(what="USD per million requests", **per_million, comparison=compared(named, REDUCTION, "cheaper"))]
    if cost.monthly_usd:
        lines.append(_monthly(cost))
    if cost.replicas:
        ready = {role: _machines(cost.replicas.get(role)) for role in ROLES}
        lines.append(Line(what="Machines that stand ready", **ready))
    if cost.break_even_requests is not None:
        lines += _paid_back(cost)
    return lines


def instance_views(record: RunRecord) -> tuple[InstanceView, ...]:
    """Every machine of every role, where the spec names more than the one that was measured."""
    return () if record.cost is None else tuple(_instance(each) for each in record.cost.instances)


def stale_text(stale: StalePrice) -> str:
    """One price that was read too long ago, or that is dated after the run."""
    key = one_line(stale.key)
    if stale.age_days < 0:
        return f"{key} is dated {stale.date}, after this run"
    return f"{key} was read {stale.date}, {stale.age_days:,} days before this run (at most {stale.max_age_days:,})"


def price_notes(record: RunRecord) -> tuple[str, ...]:
    """Where each price is from and how it is turned into a cost per request, what is old, what the project costs."""
    cost = record.cost
    if cost is None:
        return ("No prices are stated, so nothing is known of the cost.",)
    named = {each.name: each for each in record.measurements}
    notes = [_price_note(role, cost, named) for role in ROLES]
    notes += [f"▲ Old price: {stale_text(each)}. It is used as it stands; read it again." for each in cost.stale]
    if cost.project:
        parts = "; ".join(f"{part.what}: {numbers.usd(part.usd)}" for part in cost.project)
        notes.append(f"Project cost: {parts}.")
    return tuple(notes)


def usd_text(value: Estimate) -> str:
    """Dollars with their interval, where they have one."""
    if not isinstance(value, Interval):
        return VOID if is_void(value) else f"{NOT_MEASURED}: {one_line(value.reason)}"
    return _with_ends(value, numbers.usd, lambda amount: numbers.usd(amount).removeprefix("USD "))


def _with_ends(value: Interval, write: Callable[[float], str], bare: Callable[[float], str]) -> str:
    if value.lower == value.upper:
        return write(value.point)
    return f"{write(value.point)} ({bare(value.lower)} to {bare(value.upper)})"


def _usd_of(named: Named, role: str) -> str:
    measured = named.get(f"{role}_usd_per_million_requests")
    return NOT_MEASURED if measured is None else usd_text(measured.value)


def _monthly(cost: CostReport) -> Line:
    teacher, student = (cost.monthly_usd[role] for role in ROLES)
    what = f"Monthly bill, {numbers.count(cost.stated['monthly_requests'])} requests"
    both = {"teacher": usd_text(teacher), "student": usd_text(student)}
    if not isinstance(teacher, Interval) or not isinstance(student, Interval):
        return Line(what=what, **both)
    saved = teacher.point - student.point
    how = f"{numbers.usd(saved)} less a month" if saved >= 0 else f"{numbers.usd(-saved)} more a month"
    return Line(what=what, **both, comparison=how)


def _machines(value: Estimate | None) -> str:
    if value is None:
        return "as many as are used"
    if not isinstance(value, Interval):
        return VOID if is_void(value) else f"{NOT_MEASURED}: {one_line(value.reason)}"
    return _with_ends(value, lambda number: numbers.count(round(number)), lambda number: numbers.count(round(number)))


def _paid_back(cost: CostReport) -> Iterator[Line]:
    project = f"project cost {numbers.usd(sum(part.usd for part in cost.project))}"
    after = _after(cost.break_even_requests, "requests")
    yield Line(what="Break-even", teacher="does not apply", student=project, comparison=after)
    if cost.payback_months is not None:
        months = _after(cost.payback_months, "months")
        yield Line(what="Payback time", teacher="does not apply", student=project, comparison=months)


def _after(paid: Payback | NotEstimable | None, unit: str) -> str:
    if not isinstance(paid, Payback):
        return "not known"
    if paid.point is None:
        return NEVER if paid.earliest is None else f"{NEVER}; at best after {numbers.significant(paid.earliest)} {unit}"
    text = f"after about {numbers.significant(paid.point)} {unit}"
    if paid.earliest is None or paid.earliest == paid.latest:
        return text
    latest = "no end: it may save nothing" if paid.latest is None else numbers.significant(paid.latest)
    return f"{text} ({numbers.significant(paid.earliest)} to {latest})"


def _instance(line: InstanceCost) -> InstanceView:
    stated = "measured" if line.speed == "measured" else f"stated, not measured: {one_line(line.speed_source or '')}"
    return InstanceView(
        role=line.role,
        name=one_line(line.name),
        usd_per_hour=numbers.stated_usd(line.usd_per_hour),
        rate=rate_text(line.rate_rps),
        speed=stated,
        usd_per_million=usd_text(line.usd_per_million),
        source=f"{one_line(line.source)}, read {line.date}",
    )


def _price_note(role: str, cost: CostReport, named: Named) -> str:
    price = cost.stated[role]
    source = one_line(str(price["source"]))
    return f"{role.capitalize()} price: {_amount(role, price, cost, named)}. Source: {source}, read {price['date']}."


def _amount(role: str, price: dict[str, Any], cost: CostReport, named: Named) -> str:
    if price.get("usd_per_million_requests") is not None:
        return f"{numbers.stated_usd(price['usd_per_million_requests'])} per million requests"
    if price.get("tokens") is not None:
        return _by_token(role, price["tokens"], cost)
    amount = f"{numbers.stated_usd(price['usd_per_hour'])} per hour"
    fleet = price.get("fleet")
    if fleet is not None:
        return (
            f"{amount} and machine, for {numbers.stated(cost.stated['peak_rps'])} requests a second at peak × "
            f"{numbers.stated(fleet['headroom'])} headroom, at least {numbers.count(fleet['minimum_replicas'])}"
        )
    share = numbers.stated(100 * (ASSUMED_UTILISATION if price["utilisation"] is None else price["utilisation"]))
    basis = "saturated rate" if capacity_of(named, role) is None else "capacity"
    return f"{amount} at {share} % of the {basis}"


def _by_token(role: str, tokens: dict[str, Any], cost: CostReport) -> str:
    named = ("input", "output", "cached")
    stated = {each: tokens.get(f"usd_per_million_{each}") for each in named}
    prices = ", ".join(f"{each} {numbers.stated_usd(usd)}" for each, usd in stated.items() if usd is not None)
    discount = tokens["batch_discount"]
    less = f", less {numbers.stated(100 * discount)} % for batches" if discount else ""
    used = cost.usage.get(role)
    if used is None:
        return f"per million tokens {prices}{less}"
    source = f" ({one_line(used.source)})" if used.source else ""
    calls = f"usage of {numbers.count(used.calls)} recorded calls{source}"
    return f"per million tokens {prices}{less}; {calls}, {numbers.count(used.answered)} of them answered"
