"""Costs at the edges: what is void stays void, and a bound at zero divides nothing."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cost.per_request import cost_measurements, level_of_parts, ratio, usd_per_million
from evalkit.spec.cost import Price
from evalkit.stats.interval import Interval, NotEstimable


def rate(point: float, lower: float, upper: float, level: float = 0.95) -> Interval:
    return Interval(point=point, lower=lower, upper=upper, level=level, n=9, method="for the test")


def hourly(usd: float, utilisation: float = 0.5) -> Price:
    return Price(usd_per_hour=usd, utilisation=utilisation, source="invoice", date=datetime.date(2026, 11, 1))


def test_a_void_throughput_is_carried_into_the_cost_and_the_saving_with_its_reason() -> None:
    void = NotEstimable(reason="void: the generator fell behind", n=0)
    teacher, student = usd_per_million(hourly(1.0), rate(10, 9, 11)), usd_per_million(hourly(1.0), void)
    values = {each.name: each.value for each in cost_measurements(teacher, student)}
    assert isinstance(values["teacher_usd_per_million_requests"], Interval)
    assert values["student_usd_per_million_requests"] == void
    assert values["teacher_over_student_cost"] == void


def test_the_saving_of_one_machine_for_both_is_the_ratio_of_their_rates() -> None:
    level = level_of_parts(0.9)
    teacher = usd_per_million(hourly(0.5), rate(20, 19, 21, level))
    student = usd_per_million(hourly(0.5), rate(80, 78, 82, level))
    saving = ratio(teacher, student)
    assert isinstance(saving, Interval)
    assert (saving.point, saving.lower, saving.upper) == pytest.approx((80 / 20, 78 / 21, 82 / 19))
    assert saving.level == pytest.approx(0.9)


def test_two_stated_prices_make_an_exact_saving() -> None:
    stated = [
        usd_per_million(Price(usd_per_million_requests=usd, source="price list", date=datetime.date(2026, 11, 1)), None)
        for usd in (60.0, 15.0)
    ]
    saving = ratio(*stated)
    assert isinstance(saving, Interval)
    assert (saving.lower, saving.point, saving.upper, saving.level) == (4, 4, 4, 1)


@pytest.mark.parametrize("lower", [0.0, -1.0])
def test_a_ratio_to_what_may_be_nothing_is_not_estimable(lower: float) -> None:
    assert isinstance(ratio(rate(2, 1, 3), rate(1, lower, 2)), NotEstimable)


@given(st.floats(0.01, 100), st.floats(0.01, 1), st.floats(0.1, 1e5), st.floats(0.01, 0.99), st.floats(1.01, 9))
def test_the_cost_lies_inside_its_bounds_and_falls_with_the_rate(
    usd: float, utilisation: float, rps: float, below: float, above: float
) -> None:
    cost = usd_per_million(hourly(usd, utilisation), rate(rps, below * rps, above * rps))
    faster = usd_per_million(hourly(usd, utilisation), rate(2 * rps, 2 * below * rps, 2 * above * rps))
    assert isinstance(cost, Interval)
    assert isinstance(faster, Interval)
    assert cost.lower < cost.point < cost.upper
    assert faster.point == pytest.approx(cost.point / 2)
    assert faster.upper == pytest.approx(cost.upper / 2)
