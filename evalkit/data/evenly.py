"""Some of a table's texts, from all of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def evenly(texts: Sequence[str], most: int) -> list[str]:
    """At most ``most`` of the ``texts``, at even distances, the first and the last among them.

    >>> evenly(["a", "b", "c", "d", "e"], 3)
    ['a', 'c', 'e']
    """
    chosen = np.linspace(0, len(texts) - 1, min(most, len(texts))).round().astype(int)
    return [texts[index] for index in chosen]
