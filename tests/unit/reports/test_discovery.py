"""What the reports say of the search for subpopulations that nobody declared."""

from __future__ import annotations

import dataclasses

import pytest

from reports.discovered import discovery_view
from tests.unit.reports import found
from tests.unit.reports.reading import markdown_table, unescaped


def test_every_candidate_stands_with_its_state_and_numbers_confirmed_first(record, html, markdown):
    page, listed = html("discovered").table("q"), markdown_table(markdown("discovered"), "q")
    assert page == listed
    candidates = record("discovered").discovery.candidates
    assert [each.confirmed for each in candidates] == [True, True, False]
    for row, each in zip(page, candidates, strict=True):
        gap = each.gap.value
        assert row[0] == ("▲ confirmed" if each.confirmed else "○ not confirmed")
        assert row[1:3] == [each.name, f"{each.n_confirming:,}"]
        assert row[3] == f"{_points(gap.point)} ({_points(gap.lower)} to {_points(gap.upper)}) points"
        assert row[4] == f"{_points(each.gap_of_others)} points"
        assert each.q < 0.001 if row[5] == "< 0.001" else float(row[5]) == pytest.approx(each.q, rel=0.05)
        assert row[6] == ", ".join(each.examples)


def test_the_search_says_what_it_looked_at_what_it_left_out_and_how_often_it_errs(html, markdown):
    for text in (html("discovered").text, unescaped(markdown("discovered"))):
        assert "Searched: 5 columns on 5,400 rows. 3 candidates were tested on the other 5,400 rows" in text
        assert "2 are confirmed to lose more than the other rows. Of all that are confirmed, 5 % at most" in text
        assert "Found again, and judged as declared: channel=tweet." in text
        assert (
            "Not searched: ticket, because nearly every row has its own value (10,800 values); region, because" in text
        )


def test_a_confirmed_subpopulation_is_among_the_claims_and_the_text_says_how_it_counts(record, html, markdown):
    for rows in (html("discovered").table("claim"), markdown_table(markdown("discovered"), "claim")):
        claims = {row[1].split("\n")[0]: row[0] for row in rows}
        assert claims["Accuracy gap, found: @script=Cyrillic, @words=≥23"] == "■ failed"
        assert claims["Accuracy gap, found: language=fi"] == "◇ open"
        assert not [name for name in claims if "gift card" in name], "what is not confirmed is not judged"
    assert "Each confirmed one is judged as a declared one is" in html("discovered").text
    watched = tuple(
        dataclasses.replace(each, requirement=dataclasses.replace(each.requirement, required=False))
        if each.requirement.subpopulation.startswith("found")
        else each
        for each in record("discovered").verdict.checks
    )
    verdict = dataclasses.replace(record("discovered").verdict, checks=watched)
    assert "decides nothing" in discovery_view(dataclasses.replace(record("discovered"), verdict=verdict)).said
    assert "so they are shown and not judged" in html("by_a_metric_only").text


def test_no_find_no_search_and_a_search_turned_off_are_told_apart(record, html):
    said = {
        name: discovery_view(dataclasses.replace(record("go"), discovery=result)).said
        for name, result in (("none", found.nothing_found()), ("few", found.too_few_rows()), ("off", None))
    }
    assert said["none"] == (
        "Searched: 5 columns on 5,400 rows. There no undeclared subpopulation loses clearly more than the other rows."
    )
    assert said["few"].startswith("Nothing was searched: the smaller half has 80 rows; a search with min_rows 50 needs")
    assert said["off"] == "The spec turns the search off (discovery: null)."
    assert said["off"] in html("go").text
    assert not [each for each in html("go").tables if "q" in each[0]]


def test_only_confirmed_candidates_are_said_to_be_confirmed(record):
    refuted = found.searched({"product=gift card": found.cell(300, lost=0.02)})
    view = discovery_view(dataclasses.replace(record("go"), discovery=refuted))
    assert "1 candidate was tested on the other 5,400 rows" in view.said
    assert "0 are confirmed" in view.said
    assert "judged" not in view.said
    assert view.left_out == ""


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
