"""Whatever users write is shown and steers nothing."""

from __future__ import annotations

import re

from reports.words import one_line
from tests.unit.reports.hostile import HOSTILE, LONG_WORD, shown
from tests.unit.reports.reading import markdown_table, name_in


def test_hostile_texts_are_shown_and_steer_nothing(html, markdown):
    page = html("hostile")
    assert shown(HOSTILE) in page.text
    assert LONG_WORD in page.text
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    bare = re.sub(r"\\.", "", markdown("hostile"))  # what is left is Markdown's own
    assert not set("<>`[]") & set(bare)
    assert bare.count("**") == 10
    for text in (page.source, markdown("hostile")):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "@everyone" not in markdown("hostile")
    assert "[x](http" not in markdown("hostile")
    assert "<script" in "".join(page.drawings[0].itertext())
    for drawing in page.drawings:
        assert {each.tag.rpartition("}")[2] for each in drawing.iter()} <= {
            "svg", "title", "desc", "g", "path", "line", "text",
        }  # fmt: skip


def test_hostile_discoveries_columns_and_reasons_stay_texts(html, markdown):
    for rows in (html("hostile").table("q"), markdown_table(markdown("hostile"), "q")):
        assert {row[1] for row in rows} == {f"channel={shown(HOSTILE)}", f"channel={LONG_WORD}"}
    for rows in (html("hostile").table("claim"), markdown_table(markdown("hostile"), "claim")):
        names = {name_in(row[1]) for row in rows}
        assert f"Accuracy gap, found: channel={shown(HOSTILE)}" in names
        assert f"Gap in f1:{shown(HOSTILE)}, all rows" in names
    assert f"Not searched: {shown(HOSTILE)}, because {shown(HOSTILE)}; {LONG_WORD}, because" in html("hostile").text


def test_joiners_stay_and_steering_characters_go():
    assert one_line("می‌خواهم 👩‍💻 \u202eabc\x07") == "می‌خواهم 👩‍💻 �abc�"
