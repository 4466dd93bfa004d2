"""The section on other metrics: both models, the gap, the unit, and which way is better."""

from __future__ import annotations

import dataclasses

from evalkit.decision.requirement import METRIC_GAP, Direction
from reports.metrics import metric_views
from tests.unit.reports.reading import markdown_table, name_in, note_in
from tests.unit.reports.scored import OWN


def test_every_metric_over_all_rows_stands_with_the_records_numbers(record, html, markdown):
    expected = {
        "macro_f1": ["0.912 (0.902 to 0.922)", "0.901 (0.891 to 0.911)", "−0.011 (−0.021 to −0.001)"],
        "log_loss": ["0.231 (0.221 to 0.241)", "0.264 (0.254 to 0.274)", "+0.033 (+0.023 to +0.043)"],
        "f1:late, or lost": ["0.840 (0.820 to 0.860)", "0.790 (0.770 to 0.810)", "−0.050 (−0.070 to −0.030)"],
        OWN: ["61.30 (60.90 to 61.70)", "60.90 (60.50 to 61.30)", "−0.40 (−0.80 to 0.00)"],
        "ece": ["0.0210 (0.0170 to 0.0250)", "0.0340 (0.0300 to 0.0380)", "+0.0130 (+0.0090 to +0.0170)"],
    }
    measured = {each.name for each in record("metrics").measurements if each.subpopulation == "all"}
    assert {f"{METRIC_GAP}{name}" for name in expected} <= measured
    page = {name_in(row[0]): row[1:4] for row in html("metrics").table("metric")}
    assert page == expected
    assert {row[0]: row[1:4] for row in markdown_table(markdown("metrics"), "metric")} == expected


def test_each_metric_says_its_unit_its_method_and_whether_more_or_less_is_better(html, markdown):
    notes = {name_in(row[0]): note_in(row[0]) for row in html("metrics").table("metric")}
    assert notes["macro_f1"] == "mean F1; more is better; paired BCa bootstrap"
    assert notes["log_loss"].startswith("nats; less is better")
    assert "less is better" in notes["ece"], "known without a claim"
    assert notes[OWN].startswith(f"as {OWN} defines it; more is better")
    listed = {row[0]: row[4:] for row in markdown_table(markdown("metrics"), "metric")}
    assert listed["log_loss"] == ["less", "nats", "paired BCa bootstrap"]


def test_an_own_metric_of_which_the_spec_asks_less_is_better_when_less(record):
    turned = tuple(
        dataclasses.replace(
            check, requirement=dataclasses.replace(check.requirement, bound=1.5, direction=Direction.BELOW)
        )
        if check.requirement.measurement == f"{METRIC_GAP}{OWN}"
        else check
        for check in record("metrics").verdict.checks
    )
    verdict = dataclasses.replace(record("metrics").verdict, checks=turned)
    views = {each.name: each for each in metric_views(dataclasses.replace(record("metrics"), verdict=verdict))}
    assert views[OWN].better == "less"
    assert views["macro_f1"].better == "more"


def test_a_metric_that_could_not_be_computed_is_words(html):
    (row,) = html("hostile").table("metric")
    assert row[1] == row[2] == row[3]
    assert row[1].startswith("not measured: its function failed:")


def test_without_other_metrics_there_is_no_such_section(html, markdown):
    assert "Other metrics" not in html("go").text + markdown("go")
