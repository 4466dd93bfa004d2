"""All that the record says about money, beside what is measured for the verdict."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.cost.fleet import replicas, traffic_of
from evalkit.cost.instances import InstanceCost, instance_costs
from evalkit.cost.machine import MILLION
from evalkit.cost.payback import Payback, break_even, payback_months
from evalkit.cost.project import ProjectPart, project_parts, project_usd
from evalkit.cost.scaling import scaled
from evalkit.cost.stale import StalePrice, stale_prices
from evalkit.spec.cost import Cost
from evalkit.stats.interval import Estimate, NotEstimable

TEACHER, STUDENT = ROLES = ("teacher", "student")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSummary:
    """The recorded calls behind a cost by the token: the file's sha256, what its rows come to, and where they are
    from, in words (records from before that was kept say nothing)."""

    digest: str
    calls: int
    answered: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """``stated`` is the spec's section. By role: ``monthly_usd`` where a volume is stated, ``replicas`` where a fleet
    is. ``break_even_requests`` and ``payback_months`` are None where no project cost (or no volume) is stated."""

    stated: dict[str, Any]
    monthly_usd: dict[str, Estimate]
    replicas: dict[str, Estimate]
    usage: dict[str, UsageSummary]
    project: tuple[ProjectPart, ...]
    break_even_requests: Payback | NotEstimable | None
    payback_months: Payback | NotEstimable | None
    instances: tuple[InstanceCost, ...]
    stale: tuple[StalePrice, ...]


def cost_report(
    cost: Cost,
    per_million: Mapping[str, Estimate],
    rates_rps: Mapping[str, Estimate | None],
    usage: Mapping[str, UsageSummary],
    today: datetime.date,
) -> CostReport:
    """What follows from both roles' dollars ``per_million`` requests and the ``rates_rps`` behind them."""
    traffic, prices = traffic_of(cost), {TEACHER: cost.teacher, STUDENT: cost.student}
    volume, project = cost.monthly_requests, project_usd(cost)
    requests = None if project is None else break_even(project, per_million[TEACHER], per_million[STUDENT])
    return CostReport(
        stated=cost.model_dump(mode="json"),
        monthly_usd={} if volume is None else {role: scaled(per_million[role], volume / MILLION) for role in ROLES},
        replicas={
            role: replicas(price.fleet, traffic, rate)
            for role, price in prices.items()
            if price.fleet is not None and traffic is not None and (rate := rates_rps.get(role)) is not None
        },
        usage=dict(usage),
        project=project_parts(cost),
        break_even_requests=requests,
        payback_months=None if volume is None else _in_months(requests, volume),
        instances=tuple(
            line for role, price in prices.items() for line in instance_costs(role, price, rates_rps.get(role), traffic)
        ),
        stale=stale_prices(cost, today),
    )


def _in_months(requests: Payback | NotEstimable | None, volume: int) -> Payback | NotEstimable | None:
    return payback_months(requests, volume) if isinstance(requests, Payback) else requests
