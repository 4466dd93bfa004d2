"""Held-out rows of one text: to models that see nothing else they are one question, however often it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.leakage import normalised
from evalkit.data.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Of ``held_out`` rows ``repeated`` have the text of an earlier one. ``labelled_otherwise`` of these have another
    answer than that row, and ``apart`` lie in another cluster, where the spec names a column of clusters."""

    held_out: int
    repeated: int
    labelled_otherwise: int
    apart: int


def text_numbers(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """Numbers equal texts alike [n], as leakage compares them; None where no two are equal, which is found out in a
    second for a million rows.

    >>> text_numbers(["A cat", "a dog", "a  CAT"]).tolist()
    [0, 1, 0]
    """
    compared = [normalised(text) for text in texts]
    if len(set(compared)) == len(compared):
        return None
    return np.asarray(pd.factorize(np.array(compared, dtype=object))[0], dtype=np.int64)


def repeats(numbers: NDArray[np.int64] | None, truth: Truth, clusters: pd.Series | None) -> Repeats:
    """Counts the rows that repeat a text: ``numbers`` [n] are those of ``text_numbers``, ``truth`` [n] what is right,
    ``clusters`` [n] the spec's own, if any; rows without a cluster share one."""
    if numbers is None:
        return Repeats(held_out=len(truth), repeated=0, labelled_otherwise=0, apart=0)
    _, firsts = np.unique(numbers, return_index=True)
    first = firsts[numbers]
    of = None if clusters is None else pd.factorize(clusters)[0]
    return Repeats(
        held_out=len(numbers),
        repeated=len(numbers) - len(firsts),
        labelled_otherwise=int((truth != truth[first]).sum()),
        apart=0 if of is None else int((of != of[first]).sum()),
    )
