"""How a request is cut into parts, and which parts may share a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.parts import BatchLimits, cut

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=60)
LIMITS = st.builds(
    BatchLimits, rows=st.integers(1, 20), tokens=st.integers(1, 2_000), padding=st.floats(0.0, 1.0, allow_nan=False)
)


@given(tokens=LENGTHS, limits=LIMITS)
def test_every_row_is_in_exactly_one_part_and_every_part_is_within_the_limits(tokens, limits):
    parts = cut(tokens, limits)
    assert sorted(row for part in parts for row in part) == list(range(len(tokens)))
    for part in parts:
        lengths = [tokens[row] for row in part]
        assert lengths == sorted(lengths)
        assert len(part) == 1 or limits.admit(len(part), lengths[-1], sum(lengths))


@pytest.mark.parametrize(
    ("rows", "longest", "real", "admitted"),
    [
        (1, 10_000, 10_000, True),  # a row that is too long on its own is computed alone
        (4, 25, 100, True),
        (5, 20, 100, False),  # too many rows
        (4, 26, 104, False),  # too many tokens
        (4, 20, 60, True),  # a quarter of it padding
        (4, 20, 59, False),
    ],
)
def test_a_batch_is_admitted_by_rows_tokens_and_padding(rows, longest, real, admitted):
    assert BatchLimits(rows=4, tokens=100, padding=0.25).admit(rows, longest, real) is admitted


def test_one_long_text_does_not_pad_the_short_ones_beside_it():
    assert cut([4, 400, 5, 4], BatchLimits(rows=16, tokens=8_192)) == [[0, 3, 2], [1]]
