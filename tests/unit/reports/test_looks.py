"""What the reports say of earlier verdicts on the same rows."""

from __future__ import annotations

import pytest

from reports.looks import looks_state, looks_text
from tests.unit.reports import looked
from tests.unit.reports.reading import markdown_table

NEVER = "these rows have given no verdict before in this workspace"
THREE = "these rows have given 3 verdicts before in this workspace (1 GO, 1 INCONCLUSIVE, 1 NO-GO)"
SAID = {
    "first": (looked.first_look(), "holds", NEVER),
    "unplanned": (
        looked.unplanned(),
        "look",
        f"{THREE}; 1 look came to none; no number of looks was planned, so none is corrected for",
    ),
    "planned": (
        looked.second_of_three(),
        "holds",
        (
            "these rows have given 1 verdict before in this workspace (1 NO-GO); look 2 of 3 planned (pocock), decided "
            "at 98.4472 %, so that all of them together err no more often than one at 95 %"
        ),
    ),
    "used up": (
        looked.used_up(),
        "broken",
        (
            "these rows have given 2 verdicts before in this workspace (1 INCONCLUSIVE, 1 NO-GO); this is look 3, and "
            "2 were planned: no error is left to spend"
        ),
    ),
    "killed before": (looked.looks_of(((),)), "holds", f"{NEVER}; 1 look came to none"),
}


@pytest.mark.parametrize("kind", SAID)
def test_the_looks_are_counted_and_what_follows_is_said(kind):
    looks, state, text = SAID[kind]
    assert looks_state(looks).word == state
    assert looks_text(looks) == text


def test_the_confidence_of_the_second_look_is_that_of_the_record():
    granted = looked.second_of_three().confidence
    assert f"decided at {100 * granted:.4f}".rstrip("0") in looks_text(looked.second_of_three())


def test_a_confidence_next_to_one_is_never_written_as_100_per_cent():
    first = looked.looks_of((), planned=100, spending="obrien_fleming")
    assert first.confidence > 1 - 1e-9
    assert "decided at more than 99.9999 %" in looks_text(first)


@pytest.mark.parametrize(("kind", "state"), [("go", "● holds"), ("rich", "▲ look"), ("looked_too_often", "■ broken")])
def test_page_and_markdown_say_it_among_the_preconditions(kind, state, record, html, markdown):
    said = looks_text(record(kind).looks)
    assert f"{state} Uses of the held-out set {said}" in html(kind).text
    rows = {row[1]: row for row in markdown_table(markdown(kind), "found")}
    assert rows["Uses of the held-out set"] == [state, "Uses of the held-out set", said]


def test_a_planned_look_is_reported_at_the_confidence_that_it_was_decided_at(record, html, markdown):
    assert record("second_look").verdict.outcome.value == "GO"
    for text in (html("second_look").text, markdown("second_look")):
        assert "Every required claim is shown at one-sided 98.4472 % confidence." in text
    assert "inside the bar, at one-sided 98.4472 % confidence" in html("second_look").text
