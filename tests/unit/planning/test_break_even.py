from __future__ import annotations

import datetime

import pytest

from evalkit.planning.break_even import Throughputs, break_even
from evalkit.spec.cost import Cost, Price, TokenPrices
from evalkit.stats.interval import Interval

TODAY = datetime.date(2026, 11, 24)


def per_request(usd: float) -> Price:
    return Price(usd_per_million_requests=usd, source="invoice", date=TODAY)


def per_hour(usd: float) -> Price:
    return Price(usd_per_hour=usd, utilisation=0.5, source="price list", date=TODAY)


def rps(point: float) -> Interval:
    return Interval(point=point, lower=0.9 * point, upper=1.1 * point, level=0.95, n=10, method="a test")


def test_project_cost_over_saving_per_request_is_the_break_even_volume() -> None:
    """500 USD at 800 − 300 USD a million: one million requests, two months at half a million a month."""
    cost = Cost(teacher=per_request(800), student=per_request(300), project_usd=500, monthly_requests=500_000)
    found = break_even(cost, None)
    assert (found.requests, found.months, found.source) == (1_000_000, 2.0, "stated prices")


def test_an_hourly_price_needs_a_throughput() -> None:
    cost = Cost(teacher=per_hour(3.6), student=per_hour(3.6), project_usd=500)
    missing = break_even(cost, None)
    assert missing.requests is None
    assert missing.reason is not None
    assert "cost.teacher.usd_per_hour needs a measured throughput" in missing.reason
    # 3.6 USD an hour at 10 and 40 requests a second, half used: 200 and 50 USD a million.
    found = break_even(cost, Throughputs(teacher=rps(10), student=rps(40), source="run demo"))
    assert found.requests == pytest.approx(500 / 150e-6)
    assert found.source == "stated prices at the throughput of run demo"


def test_the_throughputs_interval_is_that_of_the_break_even() -> None:
    """3.6 USD an hour, half used: 2,000 ÷ rps USD a million. Teacher 200 (190 to 210), student 50 (45 to 55)."""
    teacher = Interval(point=10, lower=2000 / 210, upper=2000 / 190, level=0.95, n=9, method="")
    student = Interval(point=40, lower=2000 / 55, upper=2000 / 45, level=0.95, n=9, method="")
    cost = Cost(teacher=per_hour(3.6), student=per_hour(3.6), project_usd=500)
    found = break_even(cost, Throughputs(teacher=teacher, student=student, source="run demo"))
    assert (found.requests, found.earliest, found.latest) == pytest.approx((500 / 150e-6, 500 / 165e-6, 500 / 135e-6))


def test_an_api_is_charged_by_the_usage_that_was_recorded() -> None:
    tokens = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    api = Price(tokens=tokens, source="price list", date=TODAY)
    cost = Cost(teacher=api, student=per_request(300), project_usd=500)
    charged = Interval(point=800, lower=700, upper=900, level=0.95, n=100, method="")
    assert break_even(cost, None, {"teacher": charged}).requests == pytest.approx(500 / 500e-6)
    assert break_even(cost, None).reason == "cost.teacher.tokens: no token usage was recorded"


def test_a_student_that_is_no_cheaper_never_pays() -> None:
    found = break_even(Cost(teacher=per_request(100), student=per_request(100), project_usd=500), None)
    assert found.never
    assert (found.requests, found.reason) == (None, "a request to the student costs no less than one to the teacher")


@pytest.mark.parametrize(
    ("cost", "reason"),
    [
        (None, "no prices are stated (cost)"),
        (Cost(teacher=per_request(800), student=per_request(300)), "cost.project_usd is not stated"),
    ],
)
def test_an_unknown_break_even_says_why(cost: Cost | None, reason: str) -> None:
    assert break_even(cost, None).reason == reason
