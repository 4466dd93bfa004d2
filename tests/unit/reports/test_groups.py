"""The subpopulation table: who is judged how, and who is not."""

from __future__ import annotations

import dataclasses
import time

from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Interval
from evalkit.stats.mcnemar import mid_p
from reports.html import render_html
from reports.markdown import render_markdown
from reports.subpopulations import group_tally, group_views
from reports.view import page_of
from tests.unit.reports import records
from tests.unit.reports.reading import HtmlReport, markdown_table, name_in, note_in, unescaped


def test_all_rows_stand_first_and_the_rest_worst_first(html, record):
    rows = html("no_go").table("p equal")
    names = [name_in(row[1]) for row in rows]
    assert names[0] == "all rows"
    order = [row[0].split()[1] for row in rows[1:]]
    assert order == sorted(order, key=["failed", "open", "passed"].index)
    assert order.count("failed") == 4
    assert all("channel=tweet" in name for name in names[1:5])
    used = {
        each.requirement.subpopulation: each.use_of_margin.upper
        for each in record("no_go").verdict.checks
        if each.requirement.measurement == GAP
    }
    passed = [used[name] for name in names[5:]]
    assert passed == sorted(passed, reverse=True)


def test_a_merged_group_says_where_it_is_judged_and_how_small_it_is(record, html, markdown):
    small = {each.name: each for each in record("merged").too_small}
    homes = {"channel=fax": "all rows", "channel=tweet, length=endless": "channel=tweet"}
    assert {line.name for line in record("merged").groups if line.merged_into} == set(homes) == set(small)
    page = {name_in(row[1]): row for row in html("merged").table("p equal")}
    listed = {row[1]: row for row in markdown_table(markdown("merged"), "p equal")}
    for name, home in homes.items():
        needs = f"has {small[name].n} rows, needs {small[name].rows_needed}."
        said = f"Too small ever to pass at this margin: {needs} Judged within {home}; by itself it could only fail."
        (check,) = [each for each in record("merged").verdict.checks if each.requirement.subpopulation == name]
        use = check.use_of_margin
        share = f"{use.point + 0.0:.2f} ({use.lower:.2f} to {use.upper:.2f})".replace("-", "−")
        assert (page[name][0], page[name][7], note_in(page[name][1])) == ("○ merged", share, said)
        assert (listed[name][0], listed[name][-1]) == ("○ merged", said)
    assert "21 groups: 19 passed, 2 merged." in html("merged").text
    assert [row[0] for row in html("merged").table("p equal")[-2:]] == ["○ merged"] * 2, "those that hold nothing last"
    tally = "22 required claims: 22 passed, 0 failed, 0 open; 2 of merged groups: 0 failed"
    assert page_of(record("merged")).headline.tally == tally


def test_a_merged_group_that_is_shown_to_be_broken_stands_first_and_is_the_reason(record, html, markdown):
    needs = "Too small ever to pass at this margin: has 30 rows, needs 32."
    said = f"{needs} Judged within all rows, but shown to be broken by itself."
    for rows in (html("merged_and_broken").table("p equal"), markdown_table(markdown("merged_and_broken"), "p equal")):
        assert [name_in(row[1]) for row in rows[:2]] == ["all rows", "channel=fax"]
        assert [row[0] for row in rows] == ["● passed", "■ failed", *["● passed"] * 4]
    assert note_in(html("merged_and_broken").table("p equal")[1][1]) == said
    page = page_of(record("merged_and_broken"))
    assert page.headline.state.word == "NO-GO"
    assert "accuracy gap on channel=fax is between −100.0 and" in page.headline.why.lower()
    assert page.binding.title == "Accuracy gap, channel=fax"
    assert page.headline.tally.endswith("0 failed, 0 open; 1 of merged groups: 1 failed")
    assert "5 groups: 1 failed, 4 passed." in html("merged_and_broken").text


def test_a_group_too_small_to_pass_is_named_with_the_rows_it_needs(record, html, markdown):
    (fax,) = [each for each in record("inconclusive").too_small if each.name == "channel=fax"]
    said = f"Too small ever to pass at this margin: has 12 rows, needs {fax.rows_needed}."
    (row,) = [row for row in html("inconclusive").table("p equal") if name_in(row[1]) == "channel=fax"]
    assert said in note_in(row[1])
    (row,) = [row for row in markdown_table(markdown("inconclusive"), "p equal") if row[1] == "channel=fax"]
    assert said in row[-1]


def test_a_group_smaller_than_the_minimum_of_the_spec_names_that_and_not_its_margin(record):
    found = dataclasses.replace(record("merged").too_small[0], reason="minimum_rows", rows_needed=500)
    views = {each.name: each for each in group_views(dataclasses.replace(record("merged"), too_small=(found,)))}
    assert views[found.name].note.startswith(f"Smaller than minimum_rows: has {found.n} rows, needs 500.")


def test_a_group_of_which_nothing_is_asked_is_not_judged(html, markdown):
    page = {name_in(row[1]): row for row in html("partly_judged").table("p equal")}
    listed = {row[1]: row for row in markdown_table(markdown("partly_judged"), "p equal")}
    for name in ("length=short", "length=medium", "length=long"):
        assert [page[name][at] for at in (0, 6, 7)] == ["○ not judged", "no margin", "not judged"]
        assert note_in(page[name][1]) == listed[name][-1] == "Nothing is asked of it."
    assert note_in(page["channel=tweet"][1]) == "Watched only: decides nothing."
    assert "7 groups: 4 passed, 3 not judged. 2 of them only watched." in html("partly_judged").text


def test_a_group_that_only_other_claims_judge_points_to_them(html, markdown):
    rows = html("by_a_metric_only").table("p equal")
    assert [row[0] for row in rows] == ["○ see claims"] * 5
    said = "No accuracy gap is asked of it; what is asked stands among the claims above."
    assert {note_in(row[1]) for row in rows} == {said}
    assert {row[-1] for row in markdown_table(markdown("by_a_metric_only"), "p equal")} == {said}
    claims = [name_in(row[1]) for row in html("by_a_metric_only").table("claim")]
    assert claims[:5] == [f"Gap in macro_f1, {name_in(row[1])}" for row in rows]
    assert "4 groups: 4 judged by other claims only." in html("by_a_metric_only").text


def test_nothing_required_claims_nothing_of_any_group(html, markdown):
    rows = html("nothing_required").table("p equal")
    assert {row[0] for row in rows} == {"○ not judged"}
    for text in (html("nothing_required").text, unescaped(markdown("nothing_required"))):
        assert "19 groups: 19 not judged." in text
        assert "Not shown safe, not shown harmful: nothing was required, so nothing was shown." in text
    assert not html("nothing_required").drawings
    assert not [each for each in html("nothing_required").tables if "claim" in each[0]]


def test_a_spec_without_subpopulations_is_told_what_stays_unseen(record):
    nobody = dataclasses.replace(record("nothing_required"), groups=())
    assert group_tally(nobody).endswith("searches for none: harm to a part of the users would not be seen.")
    searched = dataclasses.replace(record("discovered"), groups=())
    assert group_tally(searched).endswith("harm to a part of the users is seen only where the search finds it.")


def test_the_weighted_average_stands_among_the_claims_and_not_among_the_groups(record, html, markdown):
    (check,) = [each for each in record("weighted").verdict.checks if "weighted" in each.requirement.subpopulation]
    value, use = check.measurement.value, check.use_of_margin
    expected = [
        f"{_points(value.point)} ({_points(value.lower)} to {_points(value.upper)}) points",
        "no worse than −5 points",
        f"{use.point:.2f} ({use.lower:.2f} to {use.upper:.2f})",
    ]
    for rows in (html("weighted").table("claim"), markdown_table(markdown("weighted"), "claim")):
        (row,) = [row for row in rows if "weighted" in row[1]]
        assert row[:2] == ["■ failed", "Accuracy gap, all rows, weighted by channel"]
        assert row[2:5] == expected
    assert not [row for row in html("weighted").table("p equal") if "weighted" in row[1]]


def test_of_two_bars_for_accuracy_the_worse_stands_in_the_table_and_the_other_among_the_claims(html, markdown):
    for claims, groups in (
        (html("accuracy_twice").table("claim"), html("accuracy_twice").table("p equal")),
        (markdown_table(markdown("accuracy_twice"), "claim"), markdown_table(markdown("accuracy_twice"), "p equal")),
    ):
        (group,) = [row for row in groups if name_in(row[1]) == "channel=tweet"]
        (claim,) = [row for row in claims if name_in(row[1]) == "Accuracy gap, channel=tweet"]
        assert (group[0], group[6]) == ("■ failed", "−8")
        assert (claim[0], claim[3]) == ("● passed", "no worse than −30 points")


def test_the_test_of_equality_over_all_rows_is_that_of_its_counts(record, html):
    (gap,) = [each for each in record("go").measurements if (each.name, each.subpopulation) == (GAP, "all")]
    assert mid_p(gap.counts) < 0.001
    assert html("go").table("p equal")[0][8] == "< 0.001"
    (same,) = {row[8] for row in html("one_model").table("p equal")}
    assert same == "1.0"


def test_clustered_rows_say_for_how_many_they_count(record):
    measured = tuple(
        dataclasses.replace(each, value=dataclasses.replace(each.value, n=300))
        if (each.name, each.subpopulation) == (GAP, "channel=tweet") and isinstance(each.value, Interval)
        else each
        for each in record("go").measurements
    )
    views = {each.name: each for each in group_views(dataclasses.replace(record("go"), measurements=measured))}
    assert views["channel=tweet"].rows == "2,700 (count as 300)"
    assert views["channel=chat"].rows == "2,700"


def test_a_watched_group_is_said_to_decide_nothing(record):
    watched = tuple(
        dataclasses.replace(each, requirement=dataclasses.replace(each.requirement, required=False))
        if each.requirement.subpopulation == "channel=tweet"
        else each
        for each in record("no_go").verdict.checks
    )
    verdict = dataclasses.replace(record("no_go").verdict, checks=watched)
    page = page_of(dataclasses.replace(record("no_go"), verdict=verdict))
    (row,) = [each for each in page.groups if each.name == "channel=tweet"]
    assert row.note == "Watched only: decides nothing."
    assert "Gap, channel=tweet (watched)" in [each.label for each in page.plot.rows]
    assert page.headline.tally == "23 required claims: 19 passed, 4 failed, 0 open; 1 watched"


def test_a_thousand_groups_are_all_listed_below_a_megabyte_in_seconds_and_thirty_are_drawn():
    record = records.many_groups(1000)
    began = time.perf_counter()
    page, markdown = render_html(record), render_markdown(record)
    assert time.perf_counter() - began < 10  # some 2 s on a machine of its own
    assert len(page.encode()) < 1_000_000
    read = HtmlReport(page)
    assert sorted(name_in(row[1]) for row in read.table("p equal")[1:]) == [line.name for line in record.groups]
    drawable = sum(check.use_of_margin is not None for check in record.verdict.checks)
    assert f"Drawn are the worst 30 claims; {drawable - 30} more are in the tables below." in read.text
    assert [row[1] for row in markdown_table(markdown, "p equal")] == [name_in(row[1]) for row in read.table("p equal")]


def _points(share: float) -> str:
    text = f"{100 * share:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text
