"""The production texts that nothing was taught about are the ones shown."""

from __future__ import annotations

from evalkit.diagnosis.coverage import MOST_SHOWN_CHARACTERS, least_covered

TAUGHT = ["the minister voted on the budget", "the council debates the tax reform", "the school road reopens"]


def test_the_text_unlike_any_taught_one_comes_first() -> None:
    shown = least_covered(TAUGHT, [*TAUGHT, "quixotic zephyrs jinx fjords", "the minister voted on a tax"])
    assert shown[0] == "“quixotic zephyrs jinx fjords”"
    assert shown[1] == "“the minister voted on a tax”"


def test_a_text_that_recurs_is_shown_once_and_a_long_one_cut() -> None:
    shown = least_covered(TAUGHT, ["qqq www eee"] * 50 + ["zz" * 400])
    assert len(shown) == 2
    assert max(len(text) for text in shown) == MOST_SHOWN_CHARACTERS + 2


def test_without_a_taught_text_every_production_text_is_uncovered() -> None:
    assert least_covered(["", " "], ["one", "two"]) == ("“one”", "“two”")
