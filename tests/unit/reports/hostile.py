"""Texts that somebody wrote who means ill, and what a reader may see of them."""

from __future__ import annotations

HOSTILE = "<script>alert(1)</script> a|b\nsecond line \x1b[31m\u202eevil <img src=http://192.0.2.1/x.png> @everyone"
LONG_WORD = "w" * 500


def shown(text: str) -> str:
    """A user's text as a reader sees it: on one line, with steering characters replaced."""
    return " ".join(text.split()).replace("\x1b", "�").replace("\u202e", "�")
