"""What holds for every report, whatever the verdict."""

from __future__ import annotations

import re

import pytest

from evalkit.decision.check import Check
from evalkit.stats.interval import Interval
from tests.unit.reports.hostile import shown
from tests.unit.reports.kinds import KINDS
from tests.unit.reports.reading import markdown_table, markdown_tables, name_in

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
ICONS = {"GO": "●", "NO-GO": "■", "INCONCLUSIVE": "◇", "passed": "●", "failed": "■", "open": "◇", "merged": "○"}
OTHER_STATES = {"○ not judged", "○ see claims", "▲ confirmed", "○ not confirmed"}


@EVERY_KIND
def test_the_page_opens_with_the_word_and_its_icon(kind, record, html, markdown):
    word = record(kind).verdict.outcome.value
    first_heading = re.search(r"<h1>(.*?)</h1>", html(kind).source).group(1)
    assert re.sub(r"<[^>]+>", "", first_heading) == f"{ICONS[word]} {word}"
    assert markdown(kind).startswith(f"# {ICONS[word]} {word}: ")


@EVERY_KIND
def test_every_subpopulation_stands_once_in_page_and_markdown_with_the_records_numbers(kind, record, html, markdown):
    values = {(each.name, each.subpopulation): each.value for each in record(kind).measurements}
    page, listed = html(kind).table("p equal"), markdown_table(markdown(kind), "p equal")
    names = [name_in(row[1]) for row in page]
    assert names == [row[1] for row in listed]
    assert sorted(names) == sorted(["all rows", *(shown(line.name) for line in record(kind).groups)])
    for line in record(kind).groups:
        gap = values["student_minus_teacher_accuracy", line.name]
        expected = [
            f"{line.n:,}",
            f"{100 * values['teacher_accuracy', line.name].point:.1f} %",
            f"{100 * values['student_accuracy', line.name].point:.1f} %",
            f"{_points(gap.point)} ({_points(gap.lower)} to {_points(gap.upper)})",
            "no margin" if line.margin is None else f"−{100 * line.margin:g}",
        ]
        for rows in (page, listed):
            (row,) = [row for row in rows if name_in(row[1]) == shown(line.name)]
            assert row[2:7] == expected
            assert _is_shown_as(row[8], line.equality_p)


@EVERY_KIND
def test_every_claim_stands_once_with_its_state_and_only_that_over_all_rows_twice(kind, record, html, markdown):
    checks = record(kind).verdict.checks
    for tables in (html(kind).tables, markdown_tables(markdown(kind))):
        (claims,) = [each[1:] for each in tables if "claim" in each[0]] or [[]]
        (groups,) = [each[1:] for each in tables if "p equal" in each[0]]
        stated = [row[0] for row in (*claims, *groups[1:])]
        assert sorted(each for each in stated if each not in OTHER_STATES) == sorted(
            f"{ICONS[check.outcome.value]} {check.outcome.value}" for check in checks
        )
        overall = [
            check.outcome.value for check in checks if _place(check) == ("student_minus_teacher_accuracy", "all")
        ]
        assert groups[0][0].split(" ", 1)[1] in (overall or ["see claims", "not judged"])


@EVERY_KIND
def test_every_state_has_its_icon_beside_its_word(kind, html, markdown):
    known = {f"{ICONS[word]} {word}" for word in ("passed", "failed", "open", "merged")} | OTHER_STATES
    for tables in (html(kind).tables, markdown_tables(markdown(kind))):
        of_claims = [each for each in tables if {"share of margin", "q"} & set(each[0])]
        assert {row[0] for each in of_claims for row in each[1:]} <= known


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


@pytest.mark.parametrize("kind", ["go", "no_go"])
def test_latency_and_cost_stand_side_by_side_with_the_records_numbers(kind, record, html, markdown):
    rows = {row[0]: row[1:] for row in html(kind).table("compared")}
    assert {row[0]: row[1:] for row in markdown_table(markdown(kind), "compared")} == rows
    assert rows["Latency p90"] == ["48.7 ms", "6.03 ms", "not compared"]
    assert rows["Latency p95"][:2] == ["55.1 ms", "7.32 ms"]
    assert rows["Latency p50"] == ["31.4 ms (30.2 to 32.7)", "4.12 ms (3.96 to 4.29)", "7.62 (7.39 to 7.85) × as fast"]
    values = {each.name: each.value for each in record(kind).measurements}
    cost = values["teacher_usd_per_million_requests"]
    assert isinstance(cost, Interval)
    assert rows["USD per million requests"][0] == f"USD {cost.point:.2f} ({cost.lower:.2f} to {cost.upper:.2f})"
    bill = record(kind).cost.monthly_usd
    shown = {role: f"USD {each.point:.2f} ({each.lower:.2f} to {each.upper:.2f})" for role, each in bill.items()}
    assert rows["Monthly bill, 30,000,000 requests"] == [
        shown["teacher"],
        shown["student"],
        f"USD {bill['teacher'].point - bill['student'].point:.2f} less a month",
    ]
    months = record(kind).cost.payback_months
    assert rows["Payback time"][2] == (
        f"after about {months.point:.1f} months ({months.earliest:.1f} to {months.latest:.1f})"
    )
    assert rows["Break-even"][2].startswith("after about ")
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


def _points(share: float) -> str:
    text = f"{100 * share:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def _place(check: Check) -> tuple[str, str]:
    return check.requirement.measurement, check.requirement.subpopulation


def _is_shown_as(text: str, p: float) -> bool:
    """Two digits of a p-value, and never 0."""
    return p < 0.001 if text == "< 0.001" else float(text) == pytest.approx(p, rel=0.05)
