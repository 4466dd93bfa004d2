"""Costs, savings and break-even worked out by hand, and the guide's two students.

Zou, G. Y. and Donner, A. (2008), "Construction of confidence limits about effect measures: a general approach",
Statistics in Medicine 27, 1693–1702, for the sum: L = θ1 + θ2 − √((θ1 − l1)² + (θ2 − l2)²).
"""

from __future__ import annotations

import datetime
import math

import pytest

from evalkit.cascade.saving import mix_reduction, mix_usd_per_million
from evalkit.cost.fleet import Traffic
from evalkit.cost.payback import Payback, break_even, payback_months
from evalkit.cost.per_request import cost_measurements, usd_per_million
from evalkit.decision.outcome import Outcome
from evalkit.decision.recommendation import Action
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.verdict import decide
from evalkit.quality.paired_gap import RETENTION
from evalkit.spec.cost import Price
from evalkit.stats.independent_sum import independent_sum
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.retention import retention

DAY = datetime.date(2026, 11, 1)


def price(**kind) -> Price:
    return Price(source="by hand", date=DAY, **kind)


def interval(point: float, lower: float, upper: float, level: float = 0.95) -> Interval:
    return Interval(point=point, lower=lower, upper=upper, level=level, n=20, method="by hand")


def test_a_machine_at_0_526_an_hour_and_33_47_requests_a_second_costs_8_73_a_million():
    """0.526 ÷ (3,600 × 33.47 × 0.5) = 8.7309e-6 USD a request."""
    cost = usd_per_million(price(usd_per_hour=0.526), interval(33.47, 33.47, 33.47))
    assert isinstance(cost, Interval)
    assert cost.point == pytest.approx(8.7309, abs=5e-5)


def test_two_spare_machines_a_month_over_three_million_requests():
    """2 × 1.20 × 730 = 1,752 USD a month; ÷ 3 million = 584 USD a million."""
    fleet = price(usd_per_hour=1.2, fleet={"minimum_replicas": 2})
    cost = usd_per_million(fleet, interval(50, 45, 55), traffic=Traffic(monthly_requests=3_000_000, peak_rps=20))
    assert isinstance(cost, Interval)
    assert (cost.lower, cost.point, cost.upper) == pytest.approx((584, 584, 584))


def test_break_even_of_12_000_dollars_at_7_62_dollars_a_million():
    """Teacher 8.73 (8.60 to 8.86), student 1.11 (1.10 to 1.13) USD a million: 12,000 ÷ 7.62 = 1,574.8 million
    requests, between 12,000 ÷ 7.76 = 1,546.4 and 12,000 ÷ 7.47 = 1,606.4 million; at 30 million a month 52.5 months."""
    found = break_even(12_000, interval(8.73, 8.60, 8.86), interval(1.11, 1.10, 1.13))
    assert isinstance(found, Payback)
    assert (found.point, found.earliest, found.latest) == pytest.approx((1574.8e6, 1546.4e6, 1606.4e6), rel=1e-4)
    months = payback_months(found, 30_000_000)
    assert (months.point, months.earliest, months.latest) == pytest.approx((52.49, 51.55, 53.55), abs=0.01)
    assert found.level == pytest.approx(0.9)


def test_a_cascade_that_sends_an_eighth_turns_8_times_cheaper_into_4_times():
    """100 + 0.125 × 800 = 200 USD a million; 800 ÷ 200 = 4. With 10 to 15 % sent: 800 ÷ 220 and 800 ÷ 180."""
    stated = {usd: interval(usd, usd, usd, level=1.0) for usd in (100, 800)}
    assert mix_usd_per_million(stated[800], stated[100], 0.125) == 200
    found = mix_reduction(interval(8, 8, 8, level=1.0), interval(0.125, 0.1, 0.15, level=0.9))
    assert isinstance(found, Interval)
    assert (found.lower, found.point, found.upper) == pytest.approx((800 / 220, 4, 800 / 180))


def test_the_sides_of_two_intervals_add_up_as_squares():
    total = independent_sum(interval(0.2, 0.17, 0.25), interval(0.1, 0.06, 0.22))
    assert total.lower == pytest.approx(0.3 - math.sqrt(0.03**2 + 0.04**2))
    assert total.upper == pytest.approx(0.3 + math.sqrt(0.05**2 + 0.12**2))


@pytest.mark.parametrize(
    ("student_right", "teacher_usd", "outcome", "action"),
    [(9600, 800, Outcome.GO, Action.DEPLOY), (9900, 150, Outcome.NO_GO, Action.KEEP_THE_TEACHER)],
    ids=["96 % at 8 ×: worth it", "99 % at 1.5 ×: not worth it"],
)
def test_the_guides_two_students(student_right: int, teacher_usd: float, outcome: Outcome, action: Action):
    """Retention of at least 95 % and at least 2 × cheaper."""
    counts = PairedCounts(both=student_right, student_only=0, teacher_only=10_000 - student_right, neither=0)
    kept = Measurement(
        name=RETENTION,
        subpopulation=ALL_ROWS,
        unit="ratio",
        value=retention(counts, 0.9),
        evidence="by hand",
        counts=counts,
    )
    costs = cost_measurements(*(usd_per_million(price(usd_per_million_requests=usd)) for usd in (teacher_usd, 100.0)))
    bars = [
        Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=Direction.ABOVE)
        for name, bound in ((RETENTION, 0.95), ("teacher_over_student_cost", 2.0))
    ]
    verdict = decide(bars, [kept, *costs], [], 0.95)
    assert (verdict.outcome, verdict.recommendation.action) == (outcome, action)
