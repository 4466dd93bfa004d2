"""Machines that stand ready, and other machines, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cost.fleet import Traffic, fleet_usd_per_month, replicas, traffic_of
from evalkit.cost.instances import MEASURED_HERE, instance_costs
from evalkit.cost.per_request import ratio, usd_per_million
from evalkit.spec.cost import Fleet
from evalkit.stats.interval import Interval, NotEstimable
from tests.unit.cost.prices import DAY, cost, price, rate

QUIET = Traffic(monthly_requests=1_000_000, peak_rps=2.0)
OTHER = {"source": "price list", "date": DAY, "speed_source": "a vendor's benchmark"}


def test_a_month_of_two_machines_at_half_a_dollar_is_730_dollars():
    """250 requests a second at 1.2 headroom need 300 ÷ 160: two machines, 2 × 0.50 × 730 = 730 USD."""
    busy = Traffic(monthly_requests=100_000_000, peak_rps=250)
    bill = fleet_usd_per_month(0.5, Fleet(headroom=1.2), busy, rate(160, 150, 170))
    assert isinstance(bill, Interval)
    assert (bill.lower, bill.point, bill.upper) == pytest.approx((730, 730, 730))


def test_a_quiet_service_pays_for_its_minimum():
    """2 × 0.50 × 730 = 730 USD for a million requests, where the machines could carry hundreds of millions."""
    found = usd_per_million(price(usd_per_hour=0.5, fleet={"minimum_replicas": 2}), rate(160, 150, 170), traffic=QUIET)
    assert isinstance(found, Interval)
    assert found.point == pytest.approx(730)


def test_a_faster_student_saves_nothing_where_one_machine_carries_both():
    """Eight times as fast, and the same bill: what a price per used second would hide."""
    fleet = price(usd_per_hour=0.5, fleet={})
    slow, fast = (usd_per_million(fleet, rate(rps, 0.9 * rps, 1.1 * rps), traffic=QUIET) for rps in (20, 160))
    saving = ratio(slow, fast)
    assert isinstance(saving, Interval)
    assert (saving.lower, saving.point, saving.upper) == (1, 1, 1)


@given(st.floats(0.1, 1e4), st.floats(1, 10), st.floats(0.1, 1e4), st.integers(1, 9))
def test_the_machines_carry_the_peak_with_its_headroom(peak: float, headroom: float, rps: float, least: int):
    found = replicas(
        Fleet(minimum_replicas=least, headroom=headroom),
        Traffic(monthly_requests=1, peak_rps=peak),
        rate(rps, 0.9 * rps, 1.1 * rps),
    )
    assert isinstance(found, Interval)
    assert least <= found.lower <= found.point <= found.upper
    assert found.point * rps >= peak * headroom * (1 - 1e-6)
    assert found.point == least or (found.point - 1) * rps < peak * headroom


@pytest.mark.parametrize("missing", [NotEstimable(reason="void", n=0), rate(1, 0, 2)])
def test_an_unknown_rate_leaves_the_bill_unknown(missing):
    assert isinstance(fleet_usd_per_month(1.0, Fleet(), QUIET, missing), NotEstimable)


def test_traffic_is_known_where_all_of_it_is_stated():
    fleet = {"usd_per_hour": 1, "fleet": {}, "source": "s", "date": DAY}
    stated = cost(teacher=fleet, monthly_requests=1_000_000, peak_rps=2)
    assert traffic_of(stated) == QUIET
    assert traffic_of(cost(monthly_requests=5)) is None


def test_a_stated_speed_is_marked_and_only_the_measured_rate_lends_it_an_interval():
    """0.36 USD ÷ (3,600 × 100 × 0.5) = 2 USD a million here; three times as fast at 0.54 USD: 1 USD; 50 a second at
    0.09 USD: 1 USD, without an interval."""
    here = price(
        usd_per_hour=0.36,
        instances=[
            {"name": "large", "usd_per_hour": 0.54, "relative_speed": 3, **OTHER},
            {"name": "small", "usd_per_hour": 0.09, "rps": 50, **OTHER},
        ],
    )
    lines = instance_costs("student", here, rate(100, 80, 125), None)
    assert [(line.name, line.speed, line.speed_source) for line in lines] == [
        (MEASURED_HERE, "measured", None),
        ("large", "stated", "a vendor's benchmark"),
        ("small", "stated", "a vendor's benchmark"),
    ]
    assert [(line.usd_per_million.lower, line.usd_per_million.point, line.usd_per_million.upper) for line in lines] == [
        pytest.approx((1.6, 2.0, 2.5)),
        pytest.approx((0.8, 1.0, 1.25)),
        pytest.approx((1.0, 1.0, 1.0)),
    ]
    assert "as stated (a vendor's benchmark)" in lines[1].rate_rps.method
    assert lines[2].rate_rps.method == "stated (a vendor's benchmark)"


def test_without_a_measured_rate_a_relative_speed_says_nothing_and_a_stated_rate_still_does():
    here = price(
        usd_per_hour=0.36,
        instances=[
            {"name": "large", "usd_per_hour": 0.54, "relative_speed": 3, **OTHER},
            {"name": "small", "usd_per_hour": 0.09, "rps": 50, **OTHER},
        ],
    )
    known = [isinstance(line.usd_per_million, Interval) for line in instance_costs("student", here, None, None)]
    assert known == [False, False, True]


def test_other_machines_of_a_fleet_are_counted_too():
    here = price(usd_per_hour=1, fleet={}, instances=[{"name": "small", "usd_per_hour": 0.1, "rps": 1, **OTHER}])
    _, small = instance_costs("student", here, rate(100, 90, 110), QUIET)
    assert small.replicas.point == 2  # 2 requests a second at peak, 1 a machine
    assert small.usd_per_million.point == pytest.approx(2 * 0.1 * 730)


def test_one_machine_alone_makes_no_table():
    assert instance_costs("student", price(usd_per_hour=1), rate(1, 0.9, 1.1), None) == ()
