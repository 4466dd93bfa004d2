"""What the report says of each kind of evidence."""

from __future__ import annotations

import dataclasses
import re

import pytest

from evalkit.decision.requirement import requirements_of
from evalkit.decision.verdict import decide
from evalkit.stats.interval import Interval
from reports.html import render_html
from reports.validity import validity
from reports.view import page_of
from tests.unit.reports import records
from tests.unit.reports.assembled import record_of
from tests.unit.reports.counted import cell, together
from tests.unit.reports.measured import FIGURES, interval
from tests.unit.reports.reading import HtmlReport
from tests.unit.reports.specs import spec_of


def test_no_go_names_what_broke_and_what_to_do(record, html, markdown):
    deciding = record("no_go").verdict.deciding
    for text in (html("no_go").text, markdown("no_go").replace("\\", "")):
        assert f"Shown to be harmful at one-sided 95 % confidence. {deciding.explanation}." in text
        assert "RETRAIN: add training text of that subpopulation" in text
        assert "24 required claims: 19 passed, 5 failed, 0 open" in text
        assert "▲ fired" in text
        assert "Aggregate hides a degraded subpopulation" in text


def test_go_names_its_tightest_claim(record, html):
    verdict = record("go").verdict
    text = html("go").text
    assert "Every required claim is shown at one-sided 95 % confidence. The tightest: p50 is between" in text
    assert f"{verdict.deciding.use_of_margin.upper:.2f}" in text
    assert "What would settle the open claims" not in text


def test_inconclusive_says_how_much_more_each_open_claim_needs(record, html, markdown):
    still_open = [check for check in record("inconclusive").verdict.checks if check.outcome.value == "open"]
    assert len(still_open) == 5
    for text in (html("inconclusive").text, markdown("inconclusive").replace("\\", "")):
        assert "Not shown safe, not shown harmful." in text
        settle = text.split("What would settle the open claims")[1].split("Can the comparison")[0]
        for check in still_open:
            name, more = check.requirement.subpopulation, f"About {check.further_needed:,} more rows would decide"
            assert re.search(rf"channel={re.escape(name.removeprefix('channel='))}.*?{more}", settle, re.DOTALL)


def test_recorded_predictions_leave_no_number_where_nothing_was_measured(html):
    text = html("inconclusive").text
    assert "not measured: no probabilities of the teacher and student are recorded" in text
    assert "◇ not measured Leakage no training table was given to compare with" in text
    assert "◇ not measured Load no model was loaded, so there is no latency" in text
    assert "◇ not measured Distribution mismatch" in text
    rows = {row[0]: row[1:] for row in html("inconclusive").table("compared")}
    assert rows["Latency p99"] == ["not measured", "not measured", "not compared"]
    assert rows["USD per million requests"] == ["USD 450.00", "USD 61.50", "7.32 × cheaper"]
    assert "Monthly bill" not in text


def test_a_void_load_shows_its_reason_and_no_latency_throughput_or_cost(html, markdown):
    rows = {row[0]: row[1:] for row in html("void").table("compared")}
    for what, cells in rows.items():
        if what.startswith("Latency") or what in ("Requests a second, saturated", "USD per million requests"):
            assert cells[:2] == ["■ VOID", "■ VOID"], what
    assert rows["Monthly bill, 30,000,000 requests"][:2] == ["■ VOID", "■ VOID"]
    assert rows["Break-even"][2] == "not known"
    figures = [f"{value:.3g}" for each in FIGURES.values() for value in each.values()]
    for text in (html("void").text, markdown("void")):
        assert f"■ VOID{' |' if text.startswith('#') else ''} Load, student" in text
        assert text.count(records.VOID_REASON) >= 4
        assert "It must be measured again: a void measurement counts for nothing." in text
        for number in figures:
            assert not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text.split("Machine")[0]), number


def test_only_the_void_half_of_a_load_is_hidden():
    record = records.void()
    rates = {f"{role}_saturated_rps" for role in ("teacher", "student")}
    measured = tuple(
        dataclasses.replace(each, value=interval(50.0, 0.02, 10)) if each.name in rates else each
        for each in record.measurements
    )
    lines = {each.what: each for each in page_of(dataclasses.replace(record, measurements=measured)).side_by_side.lines}
    assert lines["Requests a second, saturated"].student == "50.0 (49.0 to 51.0)"
    assert lines["Latency p95"].student == "■ VOID"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"data": {"rows": 10_799}}, "Pairing complete"),
        ({"data": {"leakage": {"leaked": 108, "held_out": 10_800, "share": 0.01}}}, "Leakage"),
        ({"versions": {"teacher": "same", "student": "same"}}, "Models differ"),
        ({"provider": "cuda"}, "Execution provider"),
    ],
)
def test_a_broken_precondition_says_so_before_any_effect(changed, name):
    record = records.go()
    assert {each.state.word for each in validity(record)} <= {"holds", "look"}
    signature = dataclasses.replace(
        record.signature, model_versions=changed.get("versions", record.signature.model_versions)
    )
    spec = {**record.spec, "serve": {**record.spec["serve"], "provider": changed.get("provider", "cpu")}}
    broken = dataclasses.replace(
        record, data={**record.data, **changed.get("data", {})}, signature=signature, spec=spec
    )
    assert [each.name for each in validity(broken) if each.state.word == "broken"] == [name]
    page = HtmlReport(render_html(broken))
    assert 0 < page.text.index(f"■ broken {name}") < page.text.index("How much of each margin is used")


def test_an_open_claim_beyond_the_bar_tells_of_the_correction():
    """One of many groups is beyond its margin alone, and not once Holm counts all of them."""
    cells = {f"group={number:02d}": cell(400, lost=0.02) for number in range(40)}
    cells["group=bad"] = cell(400, lost=0.13)
    spec = spec_of(load=None, cost=None, requirements={"cost_reduction": None})
    record = record_of(spec, cells, together(cells.values()))
    (check,) = [each for each in record.verdict.checks if each.requirement.subpopulation == "group=bad"]
    assert check.outcome.value == "open"
    assert check.use_of_margin.lower > 1
    (row,) = [each for each in page_of(record).groups if each.name == "group=bad"]
    assert "but not once all claims are counted (Holm)" in row.note


def test_an_interval_of_too_low_a_level_is_said_to_be_just_that():
    record = records.go()
    low = tuple(
        dataclasses.replace(each, value=dataclasses.replace(each.value, level=0.5))
        if each.name == "student_p99_ms" and isinstance(each.value, Interval)
        else each
        for each in record.measurements
    )
    spec = spec_of()
    verdict = decide(requirements_of(spec.requirements, ()), low, (), spec.requirements.confidence)
    (claim,) = page_of(dataclasses.replace(record, measurements=low, verdict=verdict)).open_claims
    assert claim[0] == "Student latency, p99"
    assert "at a lower confidence than the claim asks for" in claim[1]


def test_lost_rows_are_shown_with_their_answers(html):
    rows = html("no_go").table("text")
    assert len(rows) == 8
    assert rows[3] == ["row-00003", "the parcel came late again, number 3", "negative", "negative", "positive"]
    assert "Rows that the teacher gets right and the student wrong, channel=tweet, length=long" in html("no_go").text
