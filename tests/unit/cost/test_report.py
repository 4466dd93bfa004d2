"""The project's cost, when it is paid back, and prices that are old, by hand."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cost.payback import Payback, break_even, payback_months
from evalkit.cost.project import project_parts, project_usd
from evalkit.cost.report import cost_report
from evalkit.cost.stale import stale_prices
from evalkit.stats.interval import NotEstimable
from tests.unit.cost.prices import DAY, cost, rate, usd

PROJECT = {
    "labelling_usd": 400,
    "training_hours": 10,
    "usd_per_training_hour": 2,
    "engineering_hours": 40,
    "usd_per_engineering_hour": 100,
}


def test_the_project_is_the_sum_of_its_parts():
    """400 + 10 × 2 + 40 × 100 = 4,420 USD."""
    assert [(part.what, part.usd) for part in project_parts(cost(project=PROJECT))] == [
        ("labelling", 400),
        ("training, 10 h at 2 USD", 20),
        ("engineering, 40 h at 100 USD", 4000),
    ]
    assert project_usd(cost(project=PROJECT)) == 4420
    assert project_usd(cost(project_usd=500)) == 500
    assert project_usd(cost()) is None


def test_break_even_by_hand():
    """4,420 USD ÷ (800 − 100) USD a million = 6.314 million requests: 3.157 months at 2 million a month."""
    found = break_even(4420, usd(800), usd(100))
    assert isinstance(found, Payback)
    assert (found.point, found.earliest, found.latest) == pytest.approx([4420 / 700 * 1e6] * 3)
    assert payback_months(found, 2_000_000).point == pytest.approx(3.157, abs=1e-3)


def test_the_interval_comes_from_the_ends_of_both_costs():
    """600 USD ÷ (8 − 2), (10 − 1) and (6 − 3) USD a million; two levels of 95 % leave 90 %."""
    found = break_even(600, usd(8, 6, 10), usd(2, 1, 3))
    assert isinstance(found, Payback)
    assert (found.point, found.earliest, found.latest) == pytest.approx((100e6, 600 / 9 * 1e6, 200e6))
    assert found.level == pytest.approx(0.9)


def test_a_saving_that_may_be_nothing_has_no_latest_time():
    found = break_even(600, usd(8, 6, 10), usd(5, 3, 7))
    assert isinstance(found, Payback)
    assert (found.point, found.latest) == (200e6, None)
    months = payback_months(found, 1_000_000)
    assert (months.point, months.latest) == (pytest.approx(200), None)


def test_a_student_that_costs_no_less_never_pays():
    equal, dearer = break_even(600, usd(5), usd(5)), break_even(600, usd(5, 4, 6), usd(6, 5, 7))
    assert (equal.point, equal.earliest, equal.latest) == (None, None, None)
    assert (dearer.point, dearer.latest) == (None, None)
    assert dearer.earliest == pytest.approx(600e6), "at best 6 − 5 USD a million"


def test_a_project_that_costs_nothing_has_paid_at_once():
    assert break_even(0, usd(5), usd(4)).point == 0


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_an_unknown_cost_leaves_it_unknown(role):
    void = NotEstimable(reason="void", n=0)
    assert break_even(600, *((void, usd(1)) if role == "teacher" else (usd(1), void))) is void


@given(st.floats(1, 1e6), st.floats(1.01, 100), st.floats(0.01, 1), st.floats(0.01, 0.3))
def test_the_point_lies_between_the_ends_and_the_project_is_paid_exactly_there(project, teacher, student, width):
    found = break_even(
        project,
        usd(teacher, teacher * (1 - width), teacher * (1 + width)),
        usd(student, student * (1 - width), student * (1 + width)),
    )
    assert found.earliest <= found.point
    assert found.latest is None or found.point <= found.latest
    assert found.point * (teacher - student) / 1e6 == pytest.approx(project)


@pytest.mark.parametrize(
    ("today", "ages"),
    [(DAY, []), (DAY + datetime.timedelta(180), []), (DAY + datetime.timedelta(181), [181, 181])],
    ids=["same day", "at the limit", "a day beyond"],
)
def test_a_price_is_old_one_day_beyond_the_limit(today, ages):
    assert [each.age_days for each in stale_prices(cost(), today)] == ages


def test_a_price_of_the_future_is_flagged_and_a_null_limit_flags_none():
    yesterday = DAY - datetime.timedelta(1)
    assert [(each.key, each.age_days) for each in stale_prices(cost(), yesterday)] == [
        ("cost.teacher", -1),
        ("cost.student", -1),
    ]
    assert stale_prices(cost(max_age_days=None), DAY + datetime.timedelta(5000)) == ()


def test_another_machines_price_is_flagged_by_its_name():
    other = {"name": "a100", "usd_per_hour": 4, "rps": 9, "speed_source": "s", "source": "s", "date": "2025-01-01"}
    student = {"usd_per_hour": 1, "source": "s", "date": DAY, "instances": [other]}
    (found,) = stale_prices(cost(student=student), DAY)
    assert (found.key, found.date, found.max_age_days) == ("cost.student.instances, a100", "2025-01-01", 180)


def test_the_report_holds_the_bill_the_machines_and_the_payback():
    """Teacher 10 USD and student 2 USD a million, 50 million a month: 500 and 100 USD; 4,420 ÷ 400 = 11.05 months."""
    stated = cost(monthly_requests=50_000_000, project=PROJECT)
    report = cost_report(stated, {"teacher": usd(10, 8, 12), "student": usd(2)}, {}, {}, DAY)
    bill = report.monthly_usd
    assert (bill["teacher"].lower, bill["teacher"].point, bill["teacher"].upper) == (400, 500, 600)
    assert bill["student"].point == 100
    months = report.payback_months
    assert (months.point, months.earliest, months.latest) == pytest.approx((11.05, 4420 / 500, 4420 / 300))
    assert (report.replicas, report.instances, report.stale) == ({}, (), ())


def test_without_a_volume_there_is_no_bill_and_no_time_and_a_break_even_all_the_same():
    report = cost_report(cost(project_usd=70), {"teacher": usd(8), "student": usd(1)}, {}, {}, DAY)
    assert (report.monthly_usd, report.payback_months) == ({}, None)
    assert report.break_even_requests.point == pytest.approx(10e6)


def test_a_fleets_machines_are_counted_in_the_report():
    fleet = {"usd_per_hour": 1, "fleet": {"headroom": 1.5}, "source": "s", "date": DAY}
    stated = cost(teacher=fleet, monthly_requests=1_000_000, peak_rps=20)
    report = cost_report(stated, {"teacher": usd(9), "student": usd(1)}, {"teacher": rate(10, 8, 12)}, {}, DAY)
    ready = report.replicas["teacher"]
    assert (ready.lower, ready.point, ready.upper) == (3, 3, 4)
    assert "student" not in report.replicas
