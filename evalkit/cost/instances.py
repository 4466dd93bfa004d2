"""Several machines in one table: the one that was measured, and those of which somebody says how fast they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from evalkit.cost.fleet import Traffic, replicas
from evalkit.cost.per_request import certain, usd_per_million
from evalkit.cost.scaling import scaled
from evalkit.spec.cost import Instance, Price
from evalkit.stats.interval import Estimate, Interval, NotEstimable

MEASURED_HERE = "the machine that was measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceCost:
    """What a model costs on one machine. Where ``speed`` is stated, ``speed_source`` says by whom; nothing of it was
    measured beyond the rate that a relative speed starts from, and it decides nothing."""

    role: str
    name: str
    usd_per_hour: float
    speed: Literal["measured", "stated"]
    speed_source: str | None
    rate_rps: Estimate
    replicas: Estimate | None
    usd_per_million: Estimate
    source: str
    date: str


def instance_costs(
    role: str, price: Price, rate_rps: Estimate | None, traffic: Traffic | None
) -> tuple[InstanceCost, ...]:
    """The machine of ``price`` and every other that it names, in that order; nothing where it names no other."""
    if not price.instances or price.usd_per_hour is None:
        return ()
    measured = NotEstimable(reason="no throughput was measured", n=0) if rate_rps is None else rate_rps
    here = InstanceCost(
        role=role,
        name=MEASURED_HERE,
        usd_per_hour=price.usd_per_hour,
        speed="measured",
        speed_source=None,
        rate_rps=measured,
        replicas=_replicas(price, traffic, measured),
        usd_per_million=usd_per_million(price, measured, traffic=traffic),
        source=price.source,
        date=price.date.isoformat(),
    )
    return (here, *(_of(role, price, each, measured, traffic) for each in price.instances))


def stated_rate(instance: Instance, measured: Estimate) -> Estimate:
    """Its requests a second, as they are said to be: a rate has no interval, a relative speed that of the measured
    rate alone."""
    if instance.rps is not None:
        return certain(instance.rps, f"stated ({instance.speed_source})")
    assert instance.relative_speed is not None
    rate = scaled(measured, instance.relative_speed)
    if not isinstance(rate, Interval):
        return rate
    how = f"{rate.method}, × {instance.relative_speed:g} as stated ({instance.speed_source})"
    return replace(rate, method=how)


def _of(role: str, price: Price, other: Instance, measured: Estimate, traffic: Traffic | None) -> InstanceCost:
    rate = stated_rate(other, measured)
    at_its_price = price.model_copy(update={"usd_per_hour": other.usd_per_hour})
    return InstanceCost(
        role=role,
        name=other.name,
        usd_per_hour=other.usd_per_hour,
        speed="stated",
        speed_source=other.speed_source,
        rate_rps=rate,
        replicas=_replicas(price, traffic, rate),
        usd_per_million=usd_per_million(at_its_price, rate, traffic=traffic),
        source=other.source,
        date=other.date.isoformat(),
    )


def _replicas(price: Price, traffic: Traffic | None, rate: Estimate) -> Estimate | None:
    return None if price.fleet is None or traffic is None else replicas(price.fleet, traffic, rate)
