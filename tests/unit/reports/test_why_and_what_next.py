"""What decided, what would have changed it, and what is needed next."""

from __future__ import annotations

import dataclasses

import pytest

from evalkit.decision.needs import needs_text
from evalkit.decision.stability import sentences
from reports.view import page_of
from reports.words import one_line
from tests.unit.reports.kinds import KINDS
from tests.unit.reports.reading import unescaped

LABEL = "What would have changed the verdict."


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nothing_required"])
def test_what_would_have_changed_the_verdict_stands_in_page_and_markdown(kind, record, html, markdown):
    stability = record(kind).verdict.stability
    said = sentences(stability)
    if stability.margin is None and stability.no_margin == stability.no_rows:
        said = (f"No other margin and no other answers of the student: {stability.no_margin}.",)
    for text in (html(kind).text, unescaped(markdown(kind)).replace("**", "")):
        assert f"{LABEL} {' '.join(map(one_line, said))}" in text


def test_the_numbers_of_stability_are_the_records(record, html):
    stability = record("go").verdict.stability
    assert f"({100 * stability.margin.share:.3g} % of its margin)" in html("go").text
    assert f"on {stability.rows.rows:,} more of the {stability.rows.of_rows:,} rows" in html("go").text


def test_without_a_stability_nothing_is_said_of_it(record, html):
    verdict = dataclasses.replace(record("go").verdict, stability=None)
    assert page_of(dataclasses.replace(record("go"), verdict=verdict)).binding.fragility == ()
    assert LABEL not in html("nothing_required").text


def test_what_the_recommendation_needs_is_on_the_page_and_every_need_beside_its_claim(record, html, markdown):
    recommendation = record("inconclusive").verdict.recommendation
    assert len(recommendation.needs) == 5
    for text in (html("inconclusive").text, unescaped(markdown("inconclusive")).replace("**", "")):
        assert f"Recommendation. {recommendation.text}." in text
        assert needs_text(recommendation.needs[1:]) in text
        settle = text.split("What would settle the open claims")[1].split("Can the comparison")[0]
        assert "A number decides its claim with 80 % chance, if what was observed is true." in settle
        for need in recommendation.needs:
            assert f"About {need.units:,} more {need.counted_in} would decide it." in settle


def test_open_claims_say_what_was_measured_and_required(record, html):
    settle = html("by_a_metric_only").text.split("What would settle")[1].split("Can the comparison")[0]
    (check,) = [
        each for each in record("by_a_metric_only").verdict.checks if each.requirement.subpopulation == "channel=chat"
    ]
    assert (
        f"Gap in macro_f1, channel=chat About {check.further_needed:,} more rows would decide it. Measured: −0.030 "
        "(−0.050 to −0.010) mean F1, no worse than −0.04."
    ) in settle
