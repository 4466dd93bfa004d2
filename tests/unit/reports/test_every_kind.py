"""What holds for every report, whatever the verdict."""

from __future__ import annotations

import re

import pytest

from evalkit.stats.interval import Interval
from reports.html import render_html
from reports.markdown import render_markdown
from tests.unit.reports import records
from tests.unit.reports.reading import HtmlReport, markdown_tables

KINDS = ("go", "no_go", "inconclusive", "void", "hostile")
EVERY_KIND = pytest.mark.parametrize("kind", [*KINDS, "nothing_required"])
ICONS = {"GO": "●", "NO-GO": "■", "INCONCLUSIVE": "◇", "passed": "●", "failed": "■", "open": "◇"}


@EVERY_KIND
def test_the_page_opens_with_the_word_and_its_icon(kind, record, html, markdown):
    word = record(kind).verdict.outcome.value
    first_heading = re.search(r"<h1>(.*?)</h1>", html(kind).source).group(1)
    assert re.sub(r"<[^>]+>", "", first_heading) == f"{ICONS[word]} {word}"
    assert markdown(kind).startswith(f"# {ICONS[word]} {word}: ")


@pytest.mark.parametrize("kind", KINDS)
def test_every_subpopulation_stands_in_page_and_markdown_with_the_records_numbers(kind, record, html, markdown):
    values = {(each.name, each.subpopulation): each.value for each in record(kind).measurements}
    page = {_name(row[1]): row for row in html(kind).table("subpopulation")}
    (table,) = [each for each in markdown_tables(markdown(kind)) if "subpopulation" in each[0]]
    listed = {row[1].replace("\u200b", ""): row for row in table[1:]}
    assert len(page) == len(listed) == len(record(kind).data["groups"]) + 1
    for group in record(kind).data["groups"]:
        name = records.shown(group["name"])
        gap = values["student_minus_teacher_accuracy", group["name"]]
        expected = [
            f"{group['n']:,}",
            f"{100 * values['teacher_accuracy', group['name']].point:.1f} %",
            f"{100 * values['student_accuracy', group['name']].point:.1f} %",
            f"{_points(gap.point)} ({_points(gap.lower)} to {_points(gap.upper)})",
            f"−{100 * group['margin']:g}",
        ]
        assert page[name][2:7] == expected
        assert listed[name][2:7] == expected


@EVERY_KIND
def test_every_state_has_its_icon_beside_its_word_and_matches_the_check(kind, record, html, markdown):
    outcomes = [check.outcome.value for check in record(kind).verdict.checks]
    tables = [each for each in html(kind).tables if each[0][0] == "state"]
    states = [row[0] for each in tables for row in each[1:]]
    overall_gap = [1 for check in record(kind).verdict.checks if check.requirement.subpopulation == "all"]
    # The overall gap stands in both tables.
    assert len(states) == len(outcomes) + (1 if overall_gap else 0)
    assert set(states) <= {f"{ICONS[word]} {word}" for word in ("passed", "failed", "open")}
    for word in ("failed", "open"):
        assert (f"{ICONS[word]} {word}" in states) == (word in outcomes)
        assert (f"{ICONS[word]} {word}" in markdown(kind)) == (word in outcomes)


@EVERY_KIND
def test_missing_evidence_is_words_and_no_cell_is_empty(kind, html, markdown):
    cells = [cell for table in html(kind).tables for row in table for cell in row]
    cells += [cell for table in markdown_tables(markdown(kind)) for row in table for cell in row]
    assert all(cell.strip() for cell in cells)
    for text in (html(kind).text, markdown(kind)):
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b", text)
        assert "significant difference" not in text


@EVERY_KIND
def test_the_page_is_well_formed_small_and_names_nothing_to_load(kind, html):
    page = html(kind)
    assert len(page.source.encode()) < 200_000
    assert not {"script", "img", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    loaded = [attrs.get(name) for _, attrs in page.tags for name in ("src", "href", "xlink:href") if attrs.get(name)]
    assert set(loaded) <= {"data:,", "#reading"}
    assert "url(" not in page.source
    policy = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


@EVERY_KIND
def test_minus_signs_are_true_ones(kind, html, markdown):
    for text in (html(kind).text, markdown(kind).replace("e-0", "")):
        assert not re.search(r"(?<![\w-])-\d+\.\d", text)


def test_a_thousand_groups_are_all_listed_below_a_megabyte_and_thirty_are_drawn():
    record = records.many_groups(1000)
    page = HtmlReport(render_html(record))
    assert len(page.source.encode()) < 1_000_000
    names = [_name(row[1]) for row in page.table("subpopulation")]
    assert {each["name"] for each in record.data["groups"]} <= {name.split(" ")[0] for name in names}
    drawable = sum(check.use_of_margin is not None for check in record.verdict.checks)
    assert f"Drawn are the worst 30 claims; {drawable - 30} more are in the tables below." in page.text
    assert render_markdown(record).count("customer=number-") >= 1000


def test_all_rows_stand_first_and_the_rest_worst_first(html, record):
    states = [row[0] for row in html("no_go").table("subpopulation")]
    names = [_name(row[1]) for row in html("no_go").table("subpopulation")]
    assert names[0] == "all rows"
    order = [each.split()[1] for each in states[1:]]
    assert order == sorted(order, key=["failed", "open", "passed"].index)
    assert order.count("failed") == 4
    assert all("channel=tweet" in name for name in names[1:5])
    used = {
        each.requirement.subpopulation: each.use_of_margin.upper
        for each in record("no_go").verdict.checks
        if each.requirement.measurement == "student_minus_teacher_accuracy"
    }
    passed = [used[name] for name in names[5:]]
    assert passed == sorted(passed, reverse=True)


@pytest.mark.parametrize("kind", ["go", "no_go"])
def test_latency_and_cost_stand_side_by_side_with_the_records_numbers(kind, record, html, markdown):
    rows = {row[0]: row[1:] for row in html(kind).table("compared")}
    (table,) = [each for each in markdown_tables(markdown(kind)) if "compared" in each[0]]
    assert {row[0]: row[1:] for row in table[1:]} == rows
    assert rows["Latency p90"] == ["48.7 ms", "6.03 ms", "not compared"]
    assert rows["Latency p95"][:2] == ["55.1 ms", "7.32 ms"]
    assert rows["Latency p50"] == ["31.4 ms (30.2 to 32.7)", "4.12 ms (3.96 to 4.29)", "7.62 (7.39 to 7.85) × as fast"]
    values = {each.name: each.value for each in record(kind).measurements}
    cost = values["teacher_usd_per_million_requests"]
    assert isinstance(cost, Interval)
    assert rows["USD per million requests"][0] == f"USD {cost.point:.2f} ({cost.lower:.2f} to {cost.upper:.2f})"
    monthly = record(kind).cost["monthly_usd"]
    assert rows["Monthly bill, 30,000,000 requests"] == [
        f"USD {monthly['teacher']:.2f}",
        f"USD {monthly['student']:.2f}",
        f"USD {monthly['teacher'] - monthly['student']:.2f} less a month",
    ]
    months = record(kind).cost["break_even_requests"] / 30_000_000
    assert rows["Break-even"][2].endswith(f"requests, {months:.1f} months")
    for text in (html(kind).text, markdown(kind)):
        assert "Source: invoice 2024-118, read 2025-02-01." in text


@EVERY_KIND
def test_what_repeats_the_run_is_there(kind, record, html, markdown):
    signature = record(kind).signature
    for text in (html(kind).text, markdown(kind).replace("\\", "")):
        assert signature.command in text
        for digest in (signature.spec_digest, *signature.data_digests.values(), *signature.model_versions.values()):
            assert digest in text
        assert "2025-03-01 08:59 UTC, before anything was evaluated" in text
        assert "AMD EPYC 7B13" in text
        assert "numpy 2.3.5" in text
    stages = html(kind).table("took")
    assert [row[:2] for row in stages[:3]] == [
        ["data", "0.4 s"],
        ["teacher-outputs", "1 min 14 s"],
        ["student-weights", "1 h 2 min"],
    ]
    assert [row[3] for row in stages] == ["reused"] * 3 + ["done in this run"] * 2


def _name(cell: str) -> str:
    return cell.split("Too small")[0].split("About ")[0].split("No feasible")[0].strip()


def _points(share: float) -> str:
    text = f"{100 * share:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text
