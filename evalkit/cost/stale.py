"""Prices that were read too long ago to be trusted without a look."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.spec.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class StalePrice:
    """A price by its key in gate.yaml, when it was read, and how many days ago that is (below 0: in the future)."""

    key: str
    date: str
    age_days: int
    max_age_days: int


def stale_prices(cost: Cost, today: datetime.date) -> tuple[StalePrice, ...]:
    """Every price older than ``cost.max_age_days``, and every one that is dated after ``today``.

    They are flagged and still used: what they come to is the best that is known.
    """
    most = cost.max_age_days
    if most is None:
        return ()
    found = ((key, date, (today - date).days) for key, date in _dates(cost))
    return tuple(
        StalePrice(key=key, date=date.isoformat(), age_days=age, max_age_days=most)
        for key, date, age in found
        if not 0 <= age <= most
    )


def _dates(cost: Cost) -> Iterator[tuple[str, datetime.date]]:
    for role, price in (("teacher", cost.teacher), ("student", cost.student)):
        yield f"cost.{role}", price.date
        for instance in price.instances:
            yield f"cost.{role}.instances, {instance.name}", instance.date
