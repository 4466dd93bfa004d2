"""Held-out rows cut into atoms: rows that belong to exactly the same groups, so that overlaps are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Atoms:
    """``rows[a]`` are the held-out rows of atom a, ``sizes`` [m] how many they are, and ``members`` [groups, m] is 1
    where the atom belongs to the group."""

    rows: tuple[IntArray, ...]
    sizes: IntArray
    members: csr_matrix

    def of_group(self, group: int) -> IntArray:
        """The atoms that make up a group."""
        members = self.members
        return np.asarray(members.indices[members.indptr[group] : members.indptr[group + 1]], dtype=np.int64)


def atoms(n: int, groups: Sequence[IntArray]) -> Atoms:
    """The atoms of ``n`` rows under groups of row numbers. Each group splits the atoms that it cuts through, which
    costs no more than sorting its own rows.

    >>> cut = atoms(4, [np.arange(4), np.array([0, 1]), np.array([1, 2])])
    >>> [rows.tolist() for rows in cut.rows], cut.members.toarray().tolist()
    ([[3], [0], [2], [1]], [[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    """
    atom = np.zeros(n, dtype=np.int64)
    made = 1
    for rows in groups:
        _, split = np.unique(atom[rows], return_inverse=True)
        atom[rows] = made + split
        made += 1 + int(split.max(initial=0))
    _, atom = np.unique(atom, return_inverse=True)
    sizes = np.bincount(atom)
    in_order = np.argsort(atom, kind="stable").astype(np.int64)
    rows_of = tuple(np.split(in_order, np.cumsum(sizes)[:-1]))
    inside = [np.unique(atom[rows]) for rows in groups]
    members = csr_matrix(
        (
            np.ones(sum(map(len, inside)), dtype=np.int64),
            np.concatenate([*inside, np.empty(0, dtype=np.int64)]),
            np.cumsum([0, *map(len, inside)]),
        ),
        shape=(len(groups), len(sizes)),
    )
    return Atoms(rows=rows_of, sizes=np.asarray(sizes, dtype=np.int64), members=members)
