"""The table of claims: metrics in their own unit, the teacher's accuracy, and claims that no more rows would settle."""

from __future__ import annotations

import dataclasses

import pytest

from evalkit.decision.requirement import METRIC_GAP, STUDENT_P99, TEACHER_ACCURACY, Direction, Requirement
from evalkit.decision.verdict import decide
from evalkit.quality.paired_gap import GAP, RETENTION
from reports.naming import bound_text
from reports.plot_rows import plot_rows
from reports.view import page_of
from tests.unit.reports.reading import markdown_table, name_in, note_in
from tests.unit.reports.scored import OWN

SVG = "{http://www.w3.org/2000/svg}"


def test_a_claim_about_a_metric_is_read_in_its_unit_with_the_sign_of_harm(html, markdown):
    expected = {
        "Gap in macro_f1, all rows": ["−0.011 (−0.021 to −0.001) mean F1", "no worse than −0.03"],
        "Gap in macro_f1, channel=chat": ["−0.032 (−0.042 to −0.022) mean F1", "no worse than −0.03"],
        "Gap in log_loss, all rows": ["+0.033 (+0.023 to +0.043) nats", "no worse than +0.05"],
        "Gap in f1:late, or lost, all rows": ["−0.050 (−0.070 to −0.030) F1", "no worse than −0.02"],
        f"Gap in {OWN}, all rows": ["−0.40 (−0.80 to 0.00)", "no worse than −1.5"],
    }
    for rows in (html("metrics").table("claim"), markdown_table(markdown("metrics"), "claim")):
        claims = {name_in(row[1]): row[2:4] for row in rows}
        assert {name: claims[name] for name in expected} == expected


def test_every_claim_about_a_metric_in_a_group_stands_in_the_table(record, html):
    asked = {
        check.requirement.subpopulation
        for check in record("metrics").verdict.checks
        if check.requirement.measurement == f"{METRIC_GAP}macro_f1"
    }
    assert len(asked) == 5
    stated = [name_in(row[1]) for row in html("metrics").table("claim")]
    for where in asked - {"all"}:
        assert stated.count(f"Gap in macro_f1, {where}") == 1


def test_the_plot_names_metrics_shortly_and_gives_their_numbers_with_units(record, html):
    drawn = {row.label: row.numbers for row in plot_rows(record("metrics").verdict.checks).rows}
    assert drawn["macro_f1, channel=chat"] == "−0.032 (−0.042 to −0.022) mean F1, bar −0.03"
    assert drawn["log_loss, all rows"] == "+0.033 (+0.023 to +0.043) nats, bar +0.05"
    assert drawn["f1:late, or lost, all rows (watched)"] == "−0.050 (−0.070 to −0.030) F1, bar −0.02"
    for drawing in html("metrics").drawings:
        texts = {"".join(each.itertext()) for each in drawing.iter(f"{SVG}text")}
        assert set(drawn) <= texts
        assert set(drawn.values()) <= texts, "no number is cut off"


def test_a_unit_too_long_for_the_plot_gives_way_to_the_bar(record):
    (check,) = [each for each in record("metrics").verdict.checks if "log_loss" in each.requirement.measurement]
    long = dataclasses.replace(check, measurement=dataclasses.replace(check.measurement, unit="mean reciprocal rank"))
    (row,) = plot_rows([long]).rows
    assert row.numbers == "+0.033 (+0.023 to +0.043), bar +0.05"


def test_a_bar_on_the_teachers_accuracy_is_read_in_per_cent(record, html, markdown):
    checks = {check.requirement.measurement: check for check in record("bad_teacher").verdict.checks}
    check = checks[TEACHER_ACCURACY]
    value = check.measurement.value
    expected = [
        "■ failed",
        "Teacher accuracy",
        f"{100 * value.point:.1f} ({100 * value.lower:.1f} to {100 * value.upper:.1f}) %",
        "at least 97 %",
    ]
    for rows in (html("bad_teacher").table("claim"), markdown_table(markdown("bad_teacher"), "claim")):
        (row,) = [row for row in rows if row[1] == "Teacher accuracy"]
        assert row[:4] == expected
    assert "RETRAIN: the teacher itself is below the bar" in html("bad_teacher").text


def test_one_model_against_itself_is_told_to_compare_two(html, markdown):
    for text in (html("one_model").text, markdown("one_model")):
        assert "Compare two models: give a student that is not the teacher." in text
        assert "lies too near the bar" not in text
    (row,) = [row for row in html("one_model").table("claim") if row[1].startswith("Agreement")]
    assert (row[0], row[3]) == ("◇ open", "at most 100 %")


def test_a_look_beyond_the_plan_is_told_to_hold_out_new_rows(html, markdown):
    rows = html("looked_too_often").table("claim")
    (row,) = [row for row in rows if name_in(row[1]) == "Error left to spend on this look"]
    assert row[0] == "◇ open"
    assert row[2].startswith("not measured: this is look 3 at a held-out set that was planned for 2")
    assert note_in(row[1]) == "New rows must be held out: these have been used up."
    assert "New rows must be held out: these have been used up." in markdown("looked_too_often")
    assert "unspent" not in html("looked_too_often").text + markdown("looked_too_often")


def test_an_interval_that_shows_nothing_says_why_and_never_that_more_rows_would_do(record):
    original = record("metrics")
    flat = tuple(
        dataclasses.replace(each, value=dataclasses.replace(each.value, lower=each.value.point, upper=each.value.point))
        if (each.name, each.subpopulation) == (f"{METRIC_GAP}macro_f1", "all")
        else each
        for each in original.measurements
    )
    claims = [check.requirement for check in original.verdict.checks]
    changed = dataclasses.replace(original, measurements=flat, verdict=decide(claims, flat, (), 0.95))
    (claim,) = [each for each in page_of(changed).claims if each.what == "Gap in macro_f1, all rows"]
    assert claim.state.word == "open"
    assert claim.note.startswith("It must be estimated again: its interval has no width")
    assert claim.share_of_margin.startswith("not known: its interval has no width")


@pytest.mark.parametrize(
    ("measurement", "bound", "direction", "text"),
    [
        (GAP, -0.0075, Direction.ABOVE, "no worse than −0.75 points"),
        (TEACHER_ACCURACY, 0.9, Direction.ABOVE, "at least 90 %"),
        (RETENTION, 0.955, Direction.ABOVE, "at least 95.5 %"),
        (STUDENT_P99, 3.5, Direction.BELOW, "at most 3.5 ms"),
        (f"{METRIC_GAP}log_loss", 2.5e-6, Direction.BELOW, "no worse than +0.0000025"),
        (f"{METRIC_GAP}bleu", -1.5, Direction.ABOVE, "no worse than −1.5"),
    ],
)
def test_a_bar_is_read_as_it_was_written(measurement, bound, direction, text):
    claim = Requirement(measurement=measurement, subpopulation="all", bound=bound, direction=direction)
    assert bound_text(claim) == text
