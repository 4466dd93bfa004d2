"""What a text's form says of it: its words, its script, and whether training has seen its words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.discovery.coding import Coded, Skipped, code_quartiles

WORDS = "@words"
SCRIPT = "@script"
UNSEEN_WORDS = "@unseen_words"
MOST_CHARACTERS = 500
AT_ONCE = 10_000
NO_LETTERS = "no letters"
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Runs of letters, digits and underscores, without case. Scripts that put no spaces give long runs."""
    return _WORD.findall(text.casefold())


def word_counts(texts: Sequence[str]) -> Coded | Skipped:
    """Quartiles of the number of words."""
    counts = np.array([len(text.split()) for text in texts], dtype=np.float64)
    return code_quartiles(counts, WORDS)


def unseen_words(texts: Sequence[str], training_texts: Sequence[str] | None) -> Coded | Skipped:
    """Quartiles of the share of a text's words that no training text has; texts without a word have 0."""
    if training_texts is None:
        return Skipped(column=UNSEEN_WORDS, reason="there are no training texts to compare with")
    seen: set[str] = set()
    for text in training_texts:
        seen.update(words_of(text))
    shares = np.array([_share_unseen(words_of(text), seen) for text in texts], dtype=np.float64)
    return code_quartiles(shares, UNSEEN_WORDS)


def scripts(texts: Sequence[str]) -> Coded | Skipped:
    """The script that most letters of the first 500 characters are of: Latin, Cyrillic, CJK, Arabic, …

    A letter's script is the first word of its Unicode name.
    """
    known: dict[str, int] = {}
    script_of = np.full(0x110000, -1, dtype=np.int32)
    codes = [
        _dominant([text[:MOST_CHARACTERS] for text in texts[start : start + AT_ONCE]], script_of, known)
        for start in range(0, len(texts), AT_ONCE)
    ]
    joined = np.concatenate(codes) if codes else np.zeros(0, dtype=np.int32)
    names = list(known)
    if (joined < 0).any():
        joined = np.where(joined < 0, len(names), joined)
        names.append(NO_LETTERS)
    used = np.unique(joined)
    if len(used) < 2:
        return Skipped(column=SCRIPT, reason="all texts are of one script")
    return Coded(
        column=SCRIPT,
        codes=np.searchsorted(used, joined).astype(np.int32),
        values=tuple(names[index] for index in used),
    )


def _share_unseen(words: list[str], seen: set[str]) -> float:
    return sum(word not in seen for word in words) / len(words) if words else 0.0


def _dominant(texts: Sequence[str], script_of: NDArray[np.int32], known: dict[str, int]) -> NDArray[np.int32]:
    """Each text's script as a number in ``known``, −1 without letters; both tables are filled in as scripts turn up.

    ``script_of`` [code points]: the script's number, −1 for not met yet, −2 for no letter.
    """
    letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    present = np.unique(letters)
    for point in present[script_of[present] == -1]:
        script_of[point] = _script(chr(point), known)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    script = script_of[letters]
    counted = script >= 0
    most = max(len(known), 1)
    counts = np.bincount(owner[counted] * most + script[counted], minlength=len(texts) * most).reshape(-1, most)
    return np.where(counts.any(1), counts.argmax(1), -1).astype(np.int32)


def _script(letter: str, known: dict[str, int]) -> int:
    if not letter.isalpha():
        return -2
    name = unicodedata.name(letter, "Unknown").split(" ")[0].split("-")[0]
    return known.setdefault(name if name == "CJK" else name.capitalize(), len(known))
