"""Costs by hand."""

from __future__ import annotations

import datetime

import pytest

from evalkit.cost.per_request import (
    cost_measurements,
    level_of_parts,
    ratio,
    usd_per_million,
)
from evalkit.spec.cost import Price
from evalkit.stats.interval import Interval, NotEstimable

DAY = datetime.date(2026, 11, 1)


def price(**kind):
    return Price(source="invoice", date=DAY, **kind)


def rate(point, lower, upper, level=0.95):
    return Interval(point=point, lower=lower, upper=upper, level=level, n=10, method="t")


def test_36_cents_an_hour_at_100_rps_half_used_are_2_dollars_a_million():
    """0.36 USD ÷ (3,600 s × 100 /s × 0.5) = 2 USD a million; a low rate is a high cost."""
    cost = usd_per_million(price(usd_per_hour=0.36, utilisation=0.5), rate(100, 80, 125))
    assert isinstance(cost, Interval)
    assert (cost.point, cost.lower, cost.upper) == pytest.approx((2.0, 1.6, 2.5))
    assert cost.level == 0.95


def test_a_stated_price_is_exact():
    cost = usd_per_million(price(usd_per_million_requests=800), None)
    assert isinstance(cost, Interval)
    assert (cost.lower, cost.point, cost.upper, cost.level) == (800, 800, 800, 1.0)


@pytest.mark.parametrize("missing", [None, NotEstimable(reason="void", n=0), rate(1, 0, 2), rate(1, -1, 3)])
def test_without_a_throughput_there_is_no_cost(missing):
    cost = usd_per_million(price(usd_per_hour=1), missing)
    assert isinstance(cost, NotEstimable)
    assert isinstance(ratio(cost, rate(1, 1, 1)), NotEstimable)
    assert isinstance(ratio(rate(1, 1, 1), cost), NotEstimable)


def test_a_ratio_errs_as_often_as_both_of_its_parts_together():
    saving = ratio(rate(8, 6, 10, level_of_parts(0.9)), rate(2, 1, 3, level_of_parts(0.9)))
    assert isinstance(saving, Interval)
    assert (saving.point, saving.lower, saving.upper) == pytest.approx((4, 2, 10))
    assert saving.level == pytest.approx(0.9)


def test_costs_and_reduction_are_measurements_with_their_units():
    teacher, student = (usd_per_million(price(usd_per_million_requests=usd), None) for usd in (800, 100))
    names = {each.name: each for each in cost_measurements(teacher, student)}
    assert names["teacher_over_student_cost"].value.point == 8
    assert names["student_usd_per_million_requests"].unit == "USD per million requests"
