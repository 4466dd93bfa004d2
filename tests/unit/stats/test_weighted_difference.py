"""The gap averaged over groups: Tango's interval in one group, and never narrower than its thinnest group allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.stats.paired_difference import tango_bounds
from evalkit.stats.weighted_difference import weighted_bounds

COUNTS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 300), st.floats(0.01, 1.0))
STRATA = st.lists(COUNTS.filter(lambda group: sum(group[:3]) > 0), min_size=1, max_size=5)


def arrays(strata: list[tuple[int, int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    b, c, same, weights = (np.array(column, dtype=np.float64) for column in zip(*strata, strict=True))
    return b, c, b + c + same, weights


@settings(deadline=None, max_examples=50)
@given(COUNTS.filter(lambda group: sum(group[:3]) > 0), st.sampled_from([0.8, 0.9, 0.99]))
def test_one_group_has_tangos_interval(group: tuple[int, int, int, float], level: float) -> None:
    b, c, n, weight = arrays([group])
    bounds = weighted_bounds(b, c, n, weight, level)
    tango = tango_bounds(b[0], c[0], n[0], level)
    assert [float(bound) for bound in bounds] == pytest.approx([float(bound) for bound in tango], abs=1e-9)


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 10**6), (10**6, 0, 10**6), (0, 1, 10**6), (1, 0, 1), (0, 0, 1)])
def test_one_group_has_tangos_interval_at_every_edge(b: int, c: int, n: int) -> None:
    bounds = weighted_bounds([b], [c], [n], [3.0], 0.9)
    assert bounds == pytest.approx(tango_bounds(b, c, n, 0.9), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(STRATA)
def test_swapping_student_and_teacher_negates_and_swaps_the_interval(strata: list[tuple[int, int, int, float]]) -> None:
    b, c, n, weights = arrays(strata)
    lower, upper = weighted_bounds(b, c, n, weights, 0.9)
    swapped = weighted_bounds(c, b, n, weights, 0.9)
    assert (float(lower), float(upper)) == (-float(swapped[1]), -float(swapped[0]))


@settings(deadline=None, max_examples=30)
@given(STRATA, st.floats(0.1, 50))
def test_the_interval_holds_the_average_and_knows_neither_order_nor_unit_of_the_weights(
    strata: list[tuple[int, int, int, float]], unit: float
) -> None:
    b, c, n, weights = arrays(strata)
    lower, upper = weighted_bounds(b, c, n, weights, 0.9)
    point = float(np.average((b - c) / n, weights=weights))
    assert -1 <= lower <= point + 1e-12
    assert point - 1e-12 <= upper <= 1
    assert lower < upper
    again = weighted_bounds(b[::-1], c[::-1], n[::-1], unit * weights[::-1], 0.9)
    assert again == pytest.approx((lower, upper), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(COUNTS.filter(lambda group: sum(group[:3]) > 0), st.integers(2, 4))
def test_equal_parts_with_equal_weights_are_as_good_as_the_whole(
    group: tuple[int, int, int, float], parts: int
) -> None:
    b, c, n, _ = arrays([group])
    split = weighted_bounds(b.repeat(parts), c.repeat(parts), n.repeat(parts), np.ones(parts), 0.9)
    whole = tango_bounds(parts * b[0], parts * c[0], parts * n[0], 0.9)
    assert split == pytest.approx(whole, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(STRATA, COUNTS.filter(lambda group: sum(group[:3]) > 0))
def test_a_group_of_weight_zero_says_nothing(
    strata: list[tuple[int, int, int, float]], other: tuple[int, int, int, float]
) -> None:
    bounds = weighted_bounds(*arrays(strata), 0.9)
    with_it = weighted_bounds(*arrays([*strata, (*other[:3], 0.0)]), 0.9)
    assert with_it == pytest.approx(bounds, abs=1e-12)


def test_without_a_discordant_row_the_interval_is_as_wide_as_the_thinnest_group_makes_it() -> None:
    """90 % of production are 100 rows: a loss of 0.9 z²/(100 + z²) there would not be noticed, whatever the
    other 10,000 rows say."""
    z2 = 1.6448536269514722**2
    lower, upper = weighted_bounds([0, 0], [0, 0], [100, 10_000], [9, 1], 0.9)
    assert float(upper) == pytest.approx(0.9 * z2 / (100 + z2), abs=1e-9)
    assert float(lower) == -float(upper)


@settings(deadline=None, max_examples=30)
@given(STRATA, st.integers(2, 6))
def test_fewer_effective_rows_never_narrow_the_interval(strata: list[tuple[int, int, int, float]], effect: int) -> None:
    b, c, n, weights = arrays(strata)
    assume(0 < (b + c).sum() < n.sum())
    narrow, wide = (weighted_bounds(b / e, c / e, n / e, weights, 0.9) for e in (1, effect))
    assert wide[1] - wide[0] >= narrow[1] - narrow[0] - 1e-9


def test_many_samples_are_solved_at_once() -> None:
    rng = np.random.default_rng(1)
    n = np.array([50, 400])
    b, c = rng.binomial(n, 0.02, (7, 2)), rng.binomial(n // 2, 0.05, (7, 2))
    together = np.array(weighted_bounds(b, c, n, [2, 1], 0.9))
    alone = np.array([weighted_bounds(b[i], c[i], n, [2, 1], 0.9) for i in range(7)]).T
    assert together.shape == (2, 7)
    np.testing.assert_allclose(together, alone, atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [0], [0], [1], 0.9), "n is 0; a difference needs rows in every group"),
        (([-1], [0], [5], [1], 0.9), "student_only is -1"),
        (([3], [3], [5], [1], 0.9), r"student_only \+ teacher_only - n is 1"),
        (([0, 0], [0, 0], [5, 5], [1, -1], 0.9), "weights is -1; a weight is finite and at least 0"),
        (([0, 0], [0, 0], [5, 5], [1, np.nan], 0.9), "weights is nan"),
        (([0, 0], [0, 0], [5, 5], [0, 0], 0.9), "sum of weights is 0; give a group a weight above 0"),
        (([0], [0], [5], [1], 1.0), "level is 1.0"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_bounds(*arguments)


ALLOCATIONS = [
    ((250, 250, 250, 250), (4, 3, 2, 1)),
    ((700, 200, 80, 20), (1, 1, 1, 1)),
    ((60, 900), (1, 1)),
    ((40, 400), (1, 9)),
    ((50,) * 12, tuple(range(1, 13))),
]
RATES = [(0.0, 0.05), (0.01, 0.06), (0.001, 0.021), (0.03, 0.03)]


@pytest.mark.slow
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_each_bound_errs_in_about_five_percent_of_samples_and_at_the_margin_a_go_no_more_often(
    allocation: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    """Under the lower bound lies a false GO, over the upper one a false NO-GO; one-sided 5 % each. Discreteness of
    a group of 40 to 60 rows costs the upper bound up to 2 %, as it costs Tango's own."""
    rng = np.random.default_rng(11)
    n, weights = (np.array(values) for values in allocation)
    samples = 3000
    noise = 3 * np.sqrt(0.05 * 0.95 / samples)
    for gained, lost in RATES:
        # The rates differ from group to group around these.
        tilt = np.linspace(0.5, 1.5, len(n))
        gain, loss = gained * tilt, lost * tilt
        truth = np.average(gain - loss, weights=weights)
        drawn = np.stack(
            [
                rng.multinomial(rows, [up, down, 1 - up - down], size=samples)
                for rows, up, down in zip(n, gain, loss, strict=True)
            ],
            axis=1,
        )
        lower, upper = weighted_bounds(drawn[..., 0], drawn[..., 1], n, weights, 0.9)
        assert np.mean(lower > truth + 1e-9) <= 0.05 + noise, (gained, lost)
        assert np.mean(upper < truth - 1e-9) <= 0.07 + noise, (gained, lost)
