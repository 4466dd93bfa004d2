"""What must hold of the search for subpopulations on every table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from evalkit.quality.discovery.candidates import rows_of
from evalkit.quality.discovery.confirm import exact_p, p_loses_more
from evalkit.quality.discovery.halves import halves
from evalkit.quality.discovery.scores import EvidenceScore, Score, SliceLineScore
from evalkit.quality.discovery.search import Conditions, best_slices

Codes = NDArray[np.int32]
Loss = NDArray[np.float64]
SIGNED = st.sampled_from([-1.0, 0.0, 1.0])
REAL = st.floats(-4, 4, width=32).map(lambda value: round(value, 3))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Codes, Loss]:
    rows, columns = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    codes = draw(arrays.arrays(np.int32, (rows, columns), elements=st.integers(0, 3)))
    loss = draw(arrays.arrays(np.float64, rows, elements=draw(st.sampled_from([SIGNED, REAL, st.just(1.0)]))))
    return codes, loss


def every_slice(codes: Codes, max_columns: int) -> Iterator[Conditions]:
    for level in range(1, max_columns + 1):
        for columns in itertools.combinations(range(codes.shape[1]), level):
            for values in itertools.product(range(4), repeat=level):
                yield tuple(zip(columns, values, strict=True))


def scores_of(loss: Loss, alpha: float) -> list[Score]:
    scores: list[Score] = []
    if loss.any():
        scores.append(SliceLineScore.of(loss, alpha))
    if loss.std() > 1e-9:
        scores.append(EvidenceScore.of(loss))
    return scores


@settings(deadline=None, max_examples=200)
@given(tables(), st.integers(1, 3), st.integers(1, 6), st.integers(1, 8), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_the_search_finds_what_trying_every_conjunction_finds(
    table: tuple[Codes, Loss], max_columns: int, min_rows: int, most: int, alpha: float
) -> None:
    codes, loss = table
    for score in scores_of(loss, alpha):
        expected = []
        for conditions in every_slice(codes, max_columns):
            inside = rows_of(codes, conditions)
            rows, total = np.array([float(inside.sum())]), np.array([loss[inside].sum()])
            if rows[0] >= min_rows and (value := float(score(rows, total)[0])) > 1e-9:
                expected.append(value)
        found = best_slices(codes, loss, score, min_rows=min_rows, max_columns=max_columns, most=most)
        clear = [each.score for each in found if each.score > 1e-9]
        assert clear == pytest.approx(sorted(expected, reverse=True)[:most], rel=1e-6, abs=1e-8)
        for each in found:
            inside = rows_of(codes, each.conditions)
            assert each.rows == inside.sum() >= min_rows
            assert each.mean_loss == pytest.approx(loss[inside].mean(), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(tables(), st.integers(1, 4))
def test_doubling_every_row_keeps_the_order_of_the_search(table: tuple[Codes, Loss], min_rows: int) -> None:
    codes, loss = table
    if not loss.any():
        return
    once, twice = (
        best_slices(
            np.repeat(codes, times, axis=0),
            np.repeat(loss, times),
            SliceLineScore.of(loss, 0.9) if times == 1 else SliceLineScore.of(np.repeat(loss, times), 0.9),
            min_rows=times * min_rows,
            max_columns=2,
            most=5,
        )
        for times in (1, 2)
    )
    clear = [[each.score for each in found if each.score > 1e-9] for found in (once, twice)]
    assert clear[1] == pytest.approx(clear[0], rel=1e-6, abs=1e-9)


@st.composite
def sides(draw: st.DrawFn, most: int) -> tuple[int, int, int]:
    rows = draw(st.integers(1, most))
    losses = draw(st.integers(0, rows))
    return losses, draw(st.integers(0, rows - losses)), rows


@settings(deadline=None, max_examples=60)
@given(sides(5), sides(6))
def test_the_exact_p_value_is_that_of_every_possible_draw(
    inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    losses, gains, rows = (inside[index] + outside[index] for index in range(3))
    loss = np.array([1] * losses + [-1] * gains + [0] * (rows - losses - gains))
    draws = [loss[list(chosen)].sum() for chosen in itertools.combinations(range(rows), inside[2])]
    share = np.mean(np.array(draws) >= inside[0] - inside[1])
    assert exact_p(inside, outside) == pytest.approx(share, abs=1e-9)


@settings(deadline=None)
@given(sides(200), sides(400))
def test_one_more_loss_inside_never_makes_the_exact_p_value_larger(
    inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    losses, gains, rows = inside
    if losses + gains == rows:
        return
    worse = exact_p((losses + 1, gains, rows), outside)
    assert worse <= exact_p(inside, outside) * (1 + 1e-6) + 1e-9


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.booleans(), st.integers(0, 9)), max_size=80))
def test_every_p_value_is_a_probability(rows: list[tuple[float, bool, int]]) -> None:
    loss = np.array([row[0] for row in rows], dtype=np.float64)
    inside = np.array([row[1] for row in rows], dtype=np.bool_)
    clusters = np.array([row[2] for row in rows], dtype=np.int64)
    for given_clusters in (None, clusters):
        assert 0.0 <= p_loses_more(loss, inside, given_clusters) <= 1.0


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=120), st.integers(0, 2**31))
def test_halves_tear_no_cluster_apart(clusters: list[int], seed: int) -> None:
    owner = np.array(clusters, dtype=np.int64)
    searched, confirming = halves(len(owner), owner, np.random.default_rng(seed))
    assert sorted([*searched, *confirming]) == list(range(len(owner)))
    assert not set(owner[searched]) & set(owner[confirming])
