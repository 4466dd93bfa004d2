"""Held-out texts that were trained on."""

from __future__ import annotations

import pytest

from evalkit.data.leakage import Leakage, leakage, normalised, refuse_leakage
from evalkit.errors import DataError


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        pytest.param("a cat", "A CAT", id="case"),
        pytest.param("a cat", "  a \t cat\n", id="spaces"),
        pytest.param("a cat", "a\u00a0cat", id="no-break space"),
        pytest.param("caf\u00e9", "cafe\u0301", id="composed and decomposed accents"),
        pytest.param("\uff21\uff22\uff23 1", "abc \uff11", id="full width"),
        pytest.param("\ufb01ne", "fine", id="ligature"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
    ],
)
def test_the_same_text_written_differently_leaks(train: str, held_out: str) -> None:
    assert train != held_out
    assert leakage([train], [held_out]).leaked == 1


@pytest.mark.parametrize(
    ("train", "held_out"),
    [("a cat", "a cat."), ("a cat", "acat"), ("résumé", "resume"), ("a cat", "a cat and a dog"), ("no 1", "no 2")],
)
def test_another_text_does_not(train: str, held_out: str) -> None:
    assert leakage([train], [held_out]).leaked == 0


def test_each_held_out_row_counts_once_however_often_it_was_trained_on() -> None:
    found = leakage(["a", "a", "A"], ["a", "b", "c", "d"])
    assert (found.leaked, found.held_out, found.share) == (1, 4, 0.25)


def test_each_held_out_copy_of_a_trained_text_counts() -> None:
    assert leakage(["a"], ["a", "A", "b"]).leaked == 2


def test_normalising_twice_changes_nothing() -> None:
    for text in ("Straße \u00a0 CAFE\u0301", "\ufb01ne", "İstanbul", "  "):
        assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(("allowed", "refused"), [(0.0, True), (0.019, True), (0.02, False), (1.0, False)])
def test_leakage_above_the_allowed_share_is_refused(allowed: float, refused: bool) -> None:
    found = Leakage(leaked=2, held_out=100)
    if not refused:
        refuse_leakage(found, allowed)
        return
    with pytest.raises(
        DataError, match=r"2 of 100 held-out texts \(2.00%\) also stand in data.train; data.max_leakage"
    ):
        refuse_leakage(found, allowed)


def test_no_leakage_is_never_refused() -> None:
    refuse_leakage(Leakage(leaked=0, held_out=100), 0.0)
