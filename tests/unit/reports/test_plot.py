"""The margin plot: what is drawn where, for whom."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from evalkit.decision.check import UseOfMargin
from reports.chart import margin_plot
from reports.plot_layout import NARROW, WIDE
from reports.plot_rows import LEFT, RIGHT, plot_rows
from tests.unit.reports import records

SVG = "{http://www.w3.org/2000/svg}"

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color vision
# deficiency", severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.mark.parametrize("at", [0, 1])
def test_every_claim_is_drawn_with_state_name_and_numbers(at, record, html):
    drawing = html("no_go").drawings[at]
    texts = ["".join(each.itertext()) for each in drawing.iter(f"{SVG}text")]
    checks = record("no_go").verdict.checks
    assert sum(each in ("● passed", "■ failed", "◇ open") for each in texts) == len(checks)
    assert texts.count("■ failed") == 5
    assert "Gap, channel=tweet, length=long" in texts
    assert "11.9 (11.5 to 12.4) ms, at most 3.5 ms" in texts
    assert "7.85 (7.62 to 8.09) ×, at least 2 ×" in texts


def test_the_drawings_are_images_with_title_and_description(html):
    drawings = html("no_go").drawings
    assert len(drawings) == 2
    ids = [each.get("id") for drawing in drawings for each in drawing.iter() if each.get("id")]
    assert len(ids) == len(set(ids)) == 4
    for drawing in drawings:
        title, description = drawing[0], drawing[1]
        assert drawing.get("role") == "img"
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert drawing.get("aria-labelledby") == title.get("id")
        assert drawing.get("aria-describedby") == description.get("id")
        assert title.text == "How much of each margin is used"
        assert "failed: Student latency, p99: 11.9 (11.5 to 12.4) ms, at most 3.5 ms" in description.text


def test_colours_come_from_the_style_sheet_so_that_dark_works(html):
    for drawing in html("no_go").drawings:
        painted = {each.get(name) for each in drawing.iter() for name in ("fill", "stroke")}
        assert {"var(--failed)", "var(--passed)", "var(--ink)", "var(--beyond)"} <= painted
        assert not [each for each in painted if each and re.match(r"#0000\d\d$", each)]


def test_bars_end_at_the_tested_bound_and_arrows_show_what_is_clipped():
    check = records.no_go().verdict.deciding
    far = dataclasses.replace(check, use_of_margin=UseOfMargin(point=5.0, lower=2.0, upper=9.0))
    wide = dataclasses.replace(check, use_of_margin=UseOfMargin(point=0.5, lower=-4.0, upper=9.0))
    beyond, both = plot_rows([far, wide]).rows
    assert (beyond.point, beyond.point_is_seen, beyond.tested) == (RIGHT, False, 2.0)  # a failed claim: its lower end
    assert (both.lower, both.upper, both.beyond_left, both.beyond_right) == (LEFT, RIGHT, True, True)
    drawn = str(margin_plot([both], WIDE))
    marks = re.findall(r'<path transform="translate\(([\d.]+),[^>]*fill="var\(--failed\)"', drawn)
    assert {0.0, float(WIDE.axis_width)} <= {float(each) for each in marks}


def test_failed_claims_stand_before_open_ones_that_reach_farther(record):
    failed = record("no_go").verdict.deciding
    still_open = dataclasses.replace(
        record("inconclusive").verdict.deciding, use_of_margin=UseOfMargin(point=0.5, lower=-1.0, upper=9.0)
    )
    assert failed.use_of_margin.upper < 9.0
    assert [row.state.word for row in plot_rows([still_open, failed]).rows] == ["failed", "open"]


def test_a_passed_and_an_open_claim_are_tested_at_their_upper_end(record):
    for kind, state in (("go", "passed"), ("inconclusive", "open")):
        row = next(each for each in plot_rows(record(kind).verdict.checks).rows if each.state.word == state)
        assert row.tested == row.upper


def test_claims_without_a_share_of_the_margin_are_listed_with_their_reason(record, html):
    rows = plot_rows(record("void").verdict.checks)
    assert [name for name, _ in rows.without] == [
        "Student latency, p50", "Student latency, p99", "Speed-up at p50", "Cost reduction",
    ]  # fmt: skip
    assert all(reason == f"void: {records.VOID_REASON}" for _, reason in rows.without)
    assert "Not drawn, because there is nothing to draw" in html("void").text
    assert "Not drawn" not in html("go").text


def test_the_narrow_plot_fits_a_phone(record):
    rows = plot_rows(record("go").verdict.checks).rows
    width = re.search(r'width="(\d+)"', str(margin_plot(rows, NARROW))).group(1)
    assert int(width) <= 350


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_state_colours_stay_apart_and_readable_under_every_deficiency(scheme, html):
    style = re.search(r"<style>(.*?)</style>", html("go").source, re.DOTALL).group(1)
    named = {name: re.findall(rf"--{name}: (#\w+)", style)[scheme] for name in ("passed", "failed", "open", "card")}
    seen = {name: _linear(color) for name, color in named.items()}
    states = ("passed", "failed", "open")
    for matrix in (np.eye(3), *map(np.array, DEFICIENCIES.values())):
        for one, other in (("passed", "failed"), ("passed", "open"), ("failed", "open")):
            apart = np.linalg.norm(_lab(matrix @ seen[one]) - _lab(matrix @ seen[other]))
            assert apart > 20, (one, other)
    for state in states:
        assert _contrast(seen[state], seen["card"]) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def _linear(color: str) -> np.ndarray:
    share = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    scaled = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    first, second = sorted((float(np.array([0.2126, 0.7152, 0.0722]) @ each) for each in (one, other)), reverse=True)
    return (first + 0.05) / (second + 0.05)
