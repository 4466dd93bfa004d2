"""Overrides stand beside the verdict, which they never change."""

from __future__ import annotations

import pytest

from reports.html import render_html
from reports.markdown import render_markdown
from reports.overrides import override_views
from tests.unit.reports import overridden
from tests.unit.reports.hostile import HOSTILE, LONG_WORD, shown
from tests.unit.reports.reading import HtmlReport, unescaped


def test_the_latest_that_is_not_stale_holds_and_the_others_say_why_they_do_not():
    first, second, third = override_views(overridden.several())
    assert [each.holds for each in (first, second, third)] == [True, False, False]
    assert (first.title, first.state.text, first.by) == ("Overridden", "● GO", "Ada, release lead")
    assert first.standing == "The gate's own verdict, NO-GO, is unchanged and stands above."
    assert (second.title, second.state.text) == ("Replaced override", "◇ INCONCLUSIVE")
    assert second.standing == "A later override stands in its place."
    assert (third.title, third.by, third.at) == ("Stale override", "Grace", "2025-03-01 12:00 UTC")
    assert third.standing == (
        "It was made for an earlier verdict of this run (INCONCLUSIVE) and says nothing of this one."
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_order_in_which_they_are_read_does_not_matter(order):
    given = overridden.several()
    assert override_views([given[at] for at in order]) == override_views(given)


def test_when_all_are_stale_none_holds():
    (stale, *_) = overridden.several()
    (only,) = override_views([stale])
    assert (only.holds, only.title) == (False, "Stale override")


def test_page_and_markdown_show_every_override_below_the_unchanged_verdict(html, markdown):
    for text in (html("rich").text, unescaped(markdown("rich")).replace("**", "")):
        at = [
            text.index(each)
            for each in (
                "■ NO-GO",
                "Shown to be harmful",
                "Overridden: ● GO by Ada, release lead, 2025-03-03 12:00 UTC. Tweets go to the teacher until June.",
                "The gate's own verdict, NO-GO, is unchanged and stands above.",
                "Replaced override: ◇ INCONCLUSIVE by Ada, 2025-03-02 12:00 UTC.",
                "Stale override: ● GO by Grace, 2025-03-01 12:00 UTC. The pilot needs it.",
                "Recommendation.",
            )
        ]
        assert at == sorted(at)


def test_only_the_holding_one_has_the_colour_of_its_outcome(html):
    styles = [attrs["class"] for tag, attrs in html("rich").tags if "override" in (attrs.get("class") or "").split()]
    assert styles == ["override passed", "override past", "override past"]


def test_nothing_but_the_overrides_changes_in_the_reports(record):
    plain, changed = (HtmlReport(render_html(record("no_go"), given)).text for given in ((), overridden.several()))
    before, after = changed.split("Overridden:")[0], changed[changed.index("Recommendation.") :]
    assert plain == f"{before}{after}"
    assert "verrid" not in render_markdown(record("no_go"))


def test_hostile_reasons_and_names_are_shown_and_steer_nothing(html, markdown):
    for text in (html("hostile").text, unescaped(markdown("hostile"))):
        assert f"by {LONG_WORD}, 2025-03-01 12:00 UTC. {shown(HOSTILE)}" in text
        assert f"by {shown(HOSTILE)}, 2025-03-02 12:00 UTC. W{LONG_WORD[1:]}" in text
