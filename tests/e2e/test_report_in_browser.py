"""The report opened in a real browser: complete, small, silent on the network, safe against what users write."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from evalkit.record.override import read_overrides
from evalkit.record.run_record import RunRecord, read_record
from evalkit.stats.interval import NotEstimable
from reports.html import render_html
from reports.markdown import render_markdown
from tests.e2e.recorded_project import write_project

HOSTILE = "<script>document.title='pwned'</script> a|b\nsecond line <img src=http://192.0.2.1/x.png>"
LONG = "w" * 600
LANGUAGE = "<i>fi|x</i>"
REASON, BY = "pilot <script>document.title='pwned'</script> | only", "Ada <b>lead</b>"


@pytest.fixture(scope="module")
def run(evalkit, tmp_path_factory) -> Path:
    """A finished and overridden run whose texts, groups and reasons were written by somebody who means ill, and whose
    student is far worse in a language that nobody declared."""
    gate = write_project(
        tmp_path_factory.mktemp("project"), retention=0.93, teacher_usd=800, student_usd=100, rows=6000
    )
    folder = gate.parent
    table = pd.read_csv(folder / "held_out.csv")
    table["text"] = [f"{HOSTILE if number % 2 else LONG} {number}" for number in range(len(table))]
    table["channel"] = table["channel"].replace({"web": "<b>web|x</b>"})
    rng = np.random.default_rng(5)
    table["language"] = rng.choice([LANGUAGE, "en", "de"], len(table), p=[0.1, 0.6, 0.3])
    table.to_csv(folder / "held_out.csv", index=False)
    answers = pd.read_csv(folder / "student.csv")
    wrong = (table["language"] == LANGUAGE) & (rng.random(len(table)) < 0.4)
    answers.loc[wrong, "prediction"] = table.loc[wrong, "label"].map({"no": "yes", "yes": "no"})
    answers.to_csv(folder / "student.csv", index=False)
    spec = yaml.safe_load(gate.read_text())
    spec["requirements"] = {"quality": {"overall_margin": 0.15, "retention": None, "subpopulation_margin": 0.03}}
    gate.write_text(yaml.safe_dump(spec))
    done = evalkit("check", gate.name, "--run", "runs/one", cwd=folder)
    assert done.returncode == 1, done.stderr
    done = evalkit("override", "runs/one", "--outcome", "GO", "--reason", REASON, "--by", BY, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "one"


@pytest.fixture(scope="module")
def record(run) -> RunRecord:
    return read_record(run)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    if not Path("/usr/bin/chromium").is_file():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """An empty page of a desk's width."""
    opened = chromium.new_page(viewport={"width": 1200, "height": 900})
    yield opened
    opened.close()


def test_the_page_is_small_makes_no_request_and_runs_nothing_of_its_users(run, page):
    path = run / "report.html"
    assert path.stat().st_size < 1_000_000
    requests, problems = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert problems == []
    assert page.title() == "NO-GO: fixture"
    assert page.locator("script").count() == 0
    assert page.locator("img").count() == 0
    assert page.get_by_text("document.title='pwned'").count() >= 1


def test_every_subpopulation_stands_in_the_page_with_the_records_numbers(run, record, page):
    page.goto((run / "report.html").as_uri())
    text = page.inner_text("main")
    measured = {(each.name, each.subpopulation): each.value for each in record.measurements}
    for group in record.groups:
        assert group.name in text
        for role in ("teacher", "student"):
            accuracy = measured[f"{role}_accuracy", group.name]
            assert f"{100 * accuracy.point:.1f} %" in text
        gap = measured["student_minus_teacher_accuracy", group.name]
        assert f"{100 * gap.point:+.1f}".replace("-", "−") in text
        assert f"{group.n:,}" in text
    drawings = page.locator("svg").all()
    assert [drawing.is_visible() for drawing in drawings].count(True) == 1, "one drawing for wide, one for narrow pages"
    for drawing in drawings:
        assert drawing.get_attribute("role") == "img"
        assert drawing.locator("title").first.text_content()
        assert "the bar" in drawing.locator("desc").first.text_content()


def test_what_the_search_confirmed_is_seen_and_judged(run, record, page):
    (confirmed,) = record.discovery.confirmed
    assert confirmed.name == f"language={LANGUAGE}"
    page.goto((run / "report.html").as_uri())
    row = page.get_by_role("region", name="Subpopulations that nobody declared").get_by_role("row", name=confirmed.name)
    assert row.is_visible()
    assert "▲ confirmed" in row.inner_text()
    assert f"{100 * confirmed.gap.value.point:+.1f}".replace("-", "−") in row.inner_text()
    claim = page.get_by_role("region", name="Claims").get_by_role("row", name=f"found: {confirmed.name}")
    assert "■ failed" in claim.inner_text()


def test_the_override_is_seen_below_the_verdict_that_it_leaves_alone(run, page):
    page.goto((run / "report.html").as_uri())
    verdict, override = page.locator(".verdict"), page.locator(".override")
    assert verdict.locator("h1").inner_text() == "■ NO-GO"
    assert override.count() == 1
    assert override.inner_text().startswith(f"Overridden: ● GO by {BY}")
    assert REASON in override.inner_text().replace("Pilot", "pilot")
    assert verdict.bounding_box()["y"] < override.bounding_box()["y"] < 900, "both are seen without scrolling"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_only_tables_scroll(run, chromium, scheme):
    page = chromium.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto((run / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wider = "each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display === 'block'"
    found = page.evaluate(
        f"[...document.querySelectorAll('main p, main li, dl, h1, h2, h3, .override')].filter({wider})"
    )
    assert found == []
    page.close()


def test_a_fired_finding_and_lost_rows_are_shown(run):
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "▲ fired" in html
    assert "Aggregate hides a degraded subpopulation" in html
    assert "Rows that the teacher gets right and the student wrong" in html


def test_what_could_not_be_measured_is_words_never_a_number(record):
    hidden = tuple(
        dataclasses.replace(each, value=NotEstimable(reason="void: the generator fell behind", n=0))
        if each.name == "teacher_over_student_cost"
        else each
        for each in record.measurements
    )
    checks = tuple(
        dataclasses.replace(
            check,
            measurement=dataclasses.replace(
                check.measurement, value=NotEstimable(reason="void: the generator fell behind", n=0)
            ),
            use_of_margin=None,
        )
        if check.requirement.measurement == "teacher_over_student_cost"
        else check
        for check in record.verdict.checks
    )
    changed = dataclasses.replace(
        record, measurements=hidden, verdict=dataclasses.replace(record.verdict, checks=checks)
    )
    for text in (render_html(changed), render_markdown(changed)):
        assert "not measured: void: the generator fell behind" in text
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b", text)


def test_markdown_tables_hold_whatever_users_write(run):
    lines = (run / "report.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert any("document.title" in line for line in rows)
    width = 0
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("|"):
            continue
        columns = len(re.findall(r"(?<!\\)\|", line))
        width = width if before.startswith("|") else columns
        assert columns == width, line
    assert not any("<script>" in line for line in lines)


def test_html_and_markdown_say_the_same_numbers_and_the_same_override(run, record):
    html, markdown = ((run / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert (html, markdown) == tuple(render(record, read_overrides(run)) for render in (render_html, render_markdown))
    for check in record.verdict.checks:
        if check.use_of_margin is not None:
            assert f"{check.use_of_margin.point:.2f}".replace("-", "−") in html
            assert f"{check.use_of_margin.point:.2f}".replace("-", "−") in markdown
    assert json.dumps(record.signature.seed) in markdown
    for text in (html, markdown):
        assert "Overridden: ● GO" in text
