"""The rows in two halves: one to find subpopulations on, one to confirm them on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def halves(
    n: int, clusters: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to search and to confirm, each rising; the rows of one cluster stay together.

    Clusters come in the order that ``rng`` draws, and each goes to the half that has fewer rows so far.
    """
    if clusters is None:
        order = rng.permutation(n)
        return np.sort(order[: (n + 1) // 2]), np.sort(order[(n + 1) // 2 :])
    _, numbers, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    searched = np.zeros(len(sizes), dtype=np.bool_)
    balance = 0
    for cluster in rng.permutation(len(sizes)):
        searched[cluster] = balance <= 0
        balance += int(sizes[cluster]) if searched[cluster] else -int(sizes[cluster])
    inside = searched[numbers]
    return np.flatnonzero(inside), np.flatnonzero(~inside)
