"""What the reports say of the capacity and of the speed-up at p99."""

from __future__ import annotations

import dataclasses

import pytest

from evalkit.record.run_record import RunRecord
from evalkit.stats.interval import Estimate, NotEstimable
from reports.html import render_html
from reports.markdown import render_markdown
from reports.naming import estimate_text, quantity
from reports.side_by_side import side_by_side
from tests.unit.reports import records
from tests.unit.reports.measured import interval, of
from tests.unit.reports.reading import HtmlReport

FIGURES = {
    "capacity_limit_ms": 50.0,
    "capacity_certified_rps": 201.0,
    "capacity_confidence": 0.95,
    "capacity_trials": 17.0,
    "capacity_seconds": 292.0,
}
CLIFF = {
    "capacity_cliff_below_rps": 214.0,
    "capacity_cliff_above_rps": 232.0,
    "capacity_cliff_p99_below_ms": 31.0,
    "capacity_cliff_p99_above_ms": 412.0,
}
VOID = NotEstimable(reason="void: at 300 requests a second, twice: The generator sent late.", n=2)


def searched(student: Estimate, cliff: bool = False) -> RunRecord:
    """A GO whose student's capacity was searched for."""
    record = records.go()
    figures = FIGURES | (CLIFF if cliff else {})
    loads = tuple(
        dataclasses.replace(load, figures=load.figures | figures) if load.role == "student" else load
        for load in record.loads
    )
    rate = of("student_capacity_rps", student, unit="requests/s")
    return dataclasses.replace(record, loads=loads, measurements=(*record.measurements, rate))


def texts(record: RunRecord) -> tuple[str, str]:
    return HtmlReport(render_html(record)).text, render_markdown(record).replace("\\", "")


def test_a_capacity_stands_with_its_interval_limit_certificate_and_as_the_basis_of_the_cost() -> None:
    for text in texts(searched(interval(223.0, 0.04, 17))):
        assert "Requests a second, p99 ≤ 50 ms" in text
        assert "223 (214 to 232)" in text
        assert "in 17 trials of 4 min 52 s" in text
        assert "201 requests a second certified by their own requests at 95 % confidence" in text
        assert "no cliff just above it" in text
        assert "% of the capacity. Source" in text
        assert "% of the saturated rate. Source" in text, "nobody searched for the teacher's"


def test_a_cliff_is_flagged_with_both_rates() -> None:
    for text in texts(searched(interval(223.0, 0.04, 17), cliff=True)):
        assert "▲ a cliff: p99 is 31.0 ms at 214 requests a second and 412 ms at 232" in text


def test_a_void_search_leaves_no_number_and_says_why() -> None:
    record = searched(VOID)
    (line,) = (each for each in side_by_side(record).lines if each.what.startswith("Requests a second, p99"))
    assert (line.student, line.teacher) == ("■ VOID", "not measured")
    for text in texts(record):
        assert "not found: void: at 300 requests a second, twice: The generator sent late." in text


def test_without_a_search_nothing_is_said_of_it() -> None:
    for text in texts(records.go()):
        assert "capacity" not in text


def test_the_speed_up_at_p99_stands_beside_p99_and_the_one_at_p50_beside_p50() -> None:
    record = records.go()
    ratio = of("teacher_over_student_p99", interval(6.19, 0.1, 2391), unit="ratio")
    both = dataclasses.replace(record, measurements=(*record.measurements, ratio))
    found = {each.what: each.comparison for each in side_by_side(both).lines}
    assert found["Latency p99"] == "6.19 (5.57 to 6.81) × as fast"
    assert found["Latency p50"].startswith("7.62 (")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("teacher_over_student_p99", "Speed-up at p99"),
        ("student_capacity_rps", "Student capacity, p99 within its limit"),
        ("teacher_saturated_rps", "Teacher throughput, saturated"),
        ("teacher_p99_ms", "Teacher latency, p99"),
    ],
)
def test_what_the_load_measured_has_a_name_and_a_unit(name: str, said: str) -> None:
    assert quantity(name).label == said
    assert estimate_text(name, interval(10.0, 0.1, 100)).endswith(quantity(name).unit)
