"""The page of a learning curve says what the points allow, and no more."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from evalkit.record.curve_record import CurveRecord
from evalkit.stats.learning_curve import Answer, RowsNeeded
from reports.curve_words import answer_text, caveats, rows_text
from reports.learning_curve import render_curve_html, render_curve_svg
from tests.unit.reports.curve_records import curve_record, with_teacher


@pytest.fixture(scope="module")
def reached() -> CurveRecord:
    return curve_record(0.0, 0.05, 0.5, seed=3)


def test_rows_that_reach_the_bar_are_named_with_their_interval_and_how_far_that_is_from_those_at_hand(reached):
    needed = reached.reading.needed
    assert isinstance(needed, RowsNeeded)
    assert reached.reading.answer is Answer.REACHED
    said = answer_text(reached)
    assert said.startswith(f"About {needed.point:,} training rows ({needed.lower:,} to {needed.upper:,}) bring the gap")
    assert "the bar of −3 points: 2.0" in said
    assert "not by more rows" not in said.lower()
    page = render_curve_html(reached)
    assert said in page
    assert "reviews &lt;b&gt;" in page


def test_an_open_interval_promises_no_number_of_rows():
    record = curve_record(0.045, 0.03, 0.7)
    assert record.reading.answer is Answer.OPEN
    assert "short of the bar of −3 points" in answer_text(record)
    assert "at least; that any number is enough is not shown." in answer_text(record)
    assert any("of the draws of the points the curve never comes to the bar" in each for each in caveats(record))
    assert any("beyond 10 × nobody knows that it still is one" in each for each in caveats(record))


def test_what_is_not_known_is_said_with_its_reason():
    flat = curve_record(0.06, 0.0, 0.5)
    assert answer_text(flat).startswith(
        "Not known: more rows are not shown to help: twice the rows change the gap by −"
    )
    assert ">Not known</h1>" in render_curve_html(flat)
    few = curve_record(0.0, 0.08, 0.5, learnt=np.array([False, False, True, True]))
    assert "a power law needs 3 sizes" in answer_text(few)
    assert "Not fitted: 1,000, 2,500 rows" in " ".join(caveats(few))
    ElementTree.fromstring(render_curve_svg(few))


def test_a_bar_that_is_met_asks_for_no_more_rows():
    met = curve_record(-0.005, 0.005, 0.5)
    assert "is met with 10,000 rows" in answer_text(met)
    assert "No more rows are needed" in answer_text(met)


def test_one_training_a_size_is_said_to_be_one_of_many(reached):
    assert any("no interval counts that; --seeds 3 does" in each for each in caveats(reached))
    assert not any("--seeds 3" in each for each in caveats(curve_record(0.0, 0.05, 0.5, seeds=3)))


def test_a_teacher_that_may_know_the_measured_rows_is_never_passed_over(reached):
    unknown = " ".join(caveats(reached))
    assert "If it has learnt data.train, that is too good" in unknown
    taken = " ".join(caveats(with_teacher(reached, 0.74, 0.77, known=True, taken=True)))
    assert "75.5 % (74.0 % to 77.0 %) of the held-out rows (run reviews-1): it has learnt the measured rows" in taken
    handed_on = " ".join(caveats(with_teacher(reached, 0.74, 0.77, known=True)))
    assert "it has learnt the measured rows, and hands that on to its student" in handed_on
    from_teacher = " ".join(caveats(replace(reached, starts_from_teacher=True)))
    assert "so is the student that starts from its weights: the gaps are then of no use" in from_teacher
    unlike = " ".join(caveats(with_teacher(reached, 0.84, 0.86, known=False)))
    assert "it is not shown to know the measured rows better" in unlike


def test_rows_below_the_smallest_size_are_not_counted_out(reached):
    needed = reached.reading.needed
    assert isinstance(needed, RowsNeeded)
    assert rows_text(reached, replace(needed, point=1000, lower=1000, upper=1000)) == "1,000 training rows or fewer"
    assert rows_text(reached, replace(needed, lower=1000, upper=None)).endswith(
        "(1,000 or fewer to more than 1,000,000)"
    )
    beyond = rows_text(reached, replace(needed, point=None, lower=None, upper=None))
    assert beyond == "no number within the horizon of training rows (more than 1,000,000)"


def test_the_drawing_alone_needs_no_style_sheet(reached):
    svg = render_curve_svg(reached)
    ElementTree.fromstring(svg)
    assert "var(--" not in svg
    assert "var(--ink)" in render_curve_html(reached)
    assert "1,000 rows: " in svg
