from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalkit.planning.atoms import atoms


def test_overlapping_groups_are_cut_at_their_borders() -> None:
    cut = atoms(6, [np.array([0, 1, 2]), np.array([2, 3]), np.array([], dtype=np.int64)])
    assert sorted(rows.tolist() for rows in cut.rows) == [[0, 1], [2], [3], [4, 5]]
    assert (cut.members @ cut.sizes).tolist() == [3, 2, 0]
    assert cut.of_group(2).tolist() == []


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.sets(st.integers(0, n - 1)).map(sorted), max_size=6))
    )
)
def test_each_row_is_in_one_atom_and_each_group_is_the_union_of_its_atoms(case: tuple[int, list[list[int]]]) -> None:
    n, groups = case
    cut = atoms(n, [np.array(group, dtype=np.int64) for group in groups])
    assert sorted(np.concatenate(cut.rows).tolist()) == list(range(n))
    assert cut.sizes.tolist() == [len(rows) for rows in cut.rows]
    for number, group in enumerate(groups):
        held = sorted(row for atom in cut.of_group(number) for row in cut.rows[atom].tolist())
        assert held == group
    keys = {tuple(int(row) in group for group in groups) for row in range(n)}
    assert len(cut.rows) == len(keys), "no atom is cut without need"
