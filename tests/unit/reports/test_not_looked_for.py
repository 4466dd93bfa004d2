"""Which failure modes nobody looked for, and why: true of every kind of run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from reports.html import render_html
from reports.markdown import render_markdown
from reports.not_looked_for import not_looked_for
from tests.unit.reports import records

TITLES = {
    FailureMode.WRONG_METRIC: "Aggregate hides a degraded subpopulation",
    FailureMode.DISTRIBUTION_MISMATCH: "Distribution mismatch",
    FailureMode.TEACHER_ERRORS: "Teacher errors baked in",
    FailureMode.OVER_COMPRESSION: "over-compression",
}


def record(found=(), **spec):
    """A record with these findings; each ``section`` of its spec is as given."""
    whole = records.go()
    return replace(whole, findings=tuple(map(finding, found)), spec={**whole.spec, **spec})


def finding(mode: FailureMode) -> Finding:
    nothing = NotEstimable(reason="none", n=0)
    measurement = Measurement(name="x", subpopulation=ALL_ROWS, unit="share", value=nothing, evidence="x.json")
    return Finding(
        failure_mode=mode, measurement=measurement, fired=False, explanation="looked", corrective_practice="none"
    )


def said(of, mode: FailureMode) -> str:
    (why,) = (each.why for each in not_looked_for(of) if each.failure_mode == TITLES[mode])
    return why


def test_nothing_is_said_of_a_mode_that_was_looked_for_whether_it_fired_or_not():
    assert not_looked_for(record(found=TITLES)) == ()
    assert [each.failure_mode for each in not_looked_for(record())] == list(TITLES.values())


@pytest.mark.parametrize("mode", [FailureMode.UNDER_TRAINING, FailureMode.COVERAGE])
def test_another_cause_found_in_its_place_means_that_over_compression_was_looked_for(mode):
    assert TITLES[FailureMode.OVER_COMPRESSION] not in [each.failure_mode for each in not_looked_for(record([mode]))]


DISTILLED = {"student": {"distill": {}}, "teacher": {"load": "t"}, "data": {"train": "t.csv"}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"student": {"recorded": "s.csv"}}, "The student is recorded answers"),
        ({"student": {"load": "s"}}, "The student was trained elsewhere"),
        ({"data": {"held_out": "h.csv"}}, "There is no training table; give data.train."),
        ({"teacher": {"recorded": "t.csv"}}, "The teacher is no model here"),
    ],
)
@pytest.mark.parametrize("mode", [FailureMode.OVER_COMPRESSION, FailureMode.TEACHER_ERRORS])
def test_what_only_lessons_can_tell_says_which_of_them_is_missing(mode, changes, why):
    assert said(record(**(DISTILLED | changes)), mode).startswith(why)


def test_a_production_sample_and_subpopulations_are_asked_for_where_they_are_missing():
    assert "give data.production" in said(record(), FailureMode.DISTRIBUTION_MISMATCH)
    asked = {"quality": {"overall_margin": 0.02}}
    nobody = record(requirements=asked, subpopulations={"by": []}, discovery=None)
    assert "give subpopulations.by, or discovery" in said(nobody, FailureMode.WRONG_METRIC)
    small = record(requirements=asked, subpopulations={"by": ["channel"]})
    assert "give more rows of each" in said(small, FailureMode.WRONG_METRIC)
    unasked = record(requirements={"quality": {"overall_margin": None}})
    assert "give requirements.quality.overall_margin" in said(unasked, FailureMode.WRONG_METRIC)


def test_page_and_markdown_say_it():
    whole = record(found=[FailureMode.WRONG_METRIC], **DISTILLED)
    for text in (render_html(whole), render_markdown(whole)):
        assert "There is no sample of real inputs to hold against the held-out texts" in text
        assert "None was looked for" not in text
