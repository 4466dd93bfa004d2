"""Texts that people wrote: made safe to show, and short enough where room is short."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

UNSEEN = ("Cc", "Cf", "Co", "Cs")  # control, format (bidirectional overrides), private use, lone surrogates
JOINERS = "\u200c\u200d"  # Persian, Hindi and emoji need them


def one_line(text: str) -> str:
    """A text on one line, with what could steer a terminal or turn the reading direction replaced.

    >>> one_line("two\\nlines\\x1b[31m")
    'two lines�[31m'
    """
    spaced = " ".join(text.split())
    return "".join("�" if _is_unseen(each) else each for each in spaced)


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters, cut in the middle: groups differ at both ends.

    >>> shortened("channel=tweet, length=short", 15)
    'channel…h=short'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"


def listed(texts: Iterable[str], most: int, between: str = ", ") -> str:
    """The first ``most`` of them, and how many more there are.

    >>> listed("abcd", 2)
    'a, b and 2 more'
    """
    named = list(texts)
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return f"{between.join(named[:most])}{more}"


def sentence(text: str) -> str:
    """With a capital at the start and a full stop at the end.

    >>> sentence("the gap is 2 points"), sentence("It stands.")
    ('The gap is 2 points.', 'It stands.')
    >>> sentence("p99 is between 1 and 2 ms")  # a name keeps its letters
    'p99 is between 1 and 2 ms.'
    """
    if not text.strip():
        return text
    starts_with_word = text.split()[0].isalpha()
    return (
        (text[0].upper() if starts_with_word else text[0]) + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
    )


def _is_unseen(character: str) -> bool:
    return character not in JOINERS and unicodedata.category(character) in UNSEEN
