"""Held-out texts that also stand in the training table."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """``leaked`` of ``held_out`` texts are in train too, after normalisation."""

    leaked: int
    held_out: int

    @property
    def share(self) -> float:
        return self.leaked / self.held_out


def normalised(text: str) -> str:
    """A text as it is compared: Unicode NFKC, no case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def leakage(train: Sequence[str], held_out: Sequence[str]) -> Leakage:
    """Counts held-out texts that stand in ``train``.

    >>> leakage(["A cat", "a dog"], ["a  CAT", "a bird"]).leaked
    1
    """
    seen = {normalised(text) for text in train}
    return Leakage(leaked=sum(normalised(text) in seen for text in held_out), held_out=len(held_out))


def refuse_leakage(found: Leakage, allowed_share: float) -> None:
    """Raises DataError where more than the allowed share leaks."""
    if found.share > allowed_share:
        raise DataError(
            f"{found.leaked} of {found.held_out} held-out texts ({found.share:.2%}) also stand in data.train; "
            f"data.max_leakage allows {allowed_share:.2%}. Remove them from one side"
        )
