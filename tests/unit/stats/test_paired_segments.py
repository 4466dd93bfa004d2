from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.paired_segments import segment_quantile_ratio
from evalkit.stats.serial_quantiles import serial_quantile_ratio

Segments = list[np.ndarray]


def drifting(rng: np.random.Generator, segments: int = 8, size: int = 250, spread: float = 0.2) -> tuple[Segments, ...]:
    """Exponential latencies, the teacher's three times the student's, on a machine whose speed drifts."""
    speed = np.exp(spread * rng.standard_normal(segments))
    return (
        [rng.exponential(30 * each, size=size) for each in speed],
        [rng.exponential(10 * each, size=size) for each in speed],
    )


def interval(estimate: Interval | NotEstimable) -> Interval:
    assert isinstance(estimate, Interval), estimate
    return estimate


def test_the_point_is_the_ratio_of_the_quantiles_of_all_samples() -> None:
    teacher, student = drifting(np.random.default_rng(1))
    found = interval(segment_quantile_ratio(teacher, student, 0.99, 0.9, np.random.default_rng(2)))
    pooled = [np.quantile(np.concatenate(each), 0.99, method="inverted_cdf") for each in (teacher, student)]
    assert found.point == pytest.approx(pooled[0] / pooled[1])
    assert found.lower < found.point < found.upper
    assert found.n == 2000


def test_drift_that_moves_both_cancels() -> None:
    """Shuffled partners see the drift twice."""
    teacher, student = drifting(np.random.default_rng(1), spread=0.5)
    paired = interval(segment_quantile_ratio(teacher, student, 0.5, 0.9, np.random.default_rng(2)))
    apart = interval(segment_quantile_ratio(teacher, student[::-1], 0.5, 0.9, np.random.default_rng(2)))
    assert apart.upper / apart.lower > 1.5 * paired.upper / paired.lower


def test_without_drift_it_is_about_as_wide_as_the_interval_of_independent_samples() -> None:
    rng = np.random.default_rng(3)
    teacher, student = drifting(rng, segments=20, size=200, spread=0.0)
    paired = interval(segment_quantile_ratio(teacher, student, 0.5, 0.9, rng))
    plain = interval(serial_quantile_ratio(np.concatenate(teacher), np.concatenate(student), 0.5, 0.9, rng))
    assert 1.0 < np.log(paired.upper / paired.lower) / np.log(plain.upper / plain.lower) < 1.9


def test_swapping_the_two_inverts_the_ratio() -> None:
    teacher, student = drifting(np.random.default_rng(4))
    one = interval(segment_quantile_ratio(teacher, student, 0.5, 0.9, np.random.default_rng(5)))
    other = interval(segment_quantile_ratio(student, teacher, 0.5, 0.9, np.random.default_rng(5)))
    assert one.point == pytest.approx(1 / other.point)
    assert one.upper == pytest.approx(1 / other.lower, rel=0.05)


def test_three_segments_are_too_few() -> None:
    teacher, student = drifting(np.random.default_rng(1), segments=3)
    found = segment_quantile_ratio(teacher, student, 0.5, 0.9, np.random.default_rng(1))
    assert isinstance(found, NotEstimable)
    assert (found.n, found.n_needed) == (3, 4)


def test_too_few_samples_for_p99_say_how_many_it_takes() -> None:
    teacher, student = drifting(np.random.default_rng(1), segments=4, size=50)
    found = segment_quantile_ratio(teacher, student, 0.99, 0.9, np.random.default_rng(1))
    assert isinstance(found, NotEstimable)
    assert (found.n, found.n_needed) == (200, 299)


def test_what_cannot_be_paired_is_refused() -> None:
    rng = np.random.default_rng(1)
    teacher, student = drifting(rng)
    with pytest.raises(ValueError, match="numerator has 8 segments and denominator 7"):
        segment_quantile_ratio(teacher, student[:7], 0.5, 0.9, rng)
    with pytest.raises(ValueError, match="denominator is 0"):
        segment_quantile_ratio(teacher, [np.zeros(250)] * 8, 0.5, 0.9, rng)
    with pytest.raises(ValueError, match="not finite"):
        segment_quantile_ratio([np.full(250, np.nan)] * 8, student, 0.5, 0.9, rng)


@pytest.mark.slow
@pytest.mark.parametrize(("q", "segments"), [(0.5, 4), (0.5, 10), (0.99, 10)])
def test_the_interval_covers_the_true_ratio_at_least_as_often_as_it_says(q: float, segments: int) -> None:
    """200 runs at 90 %: below 0.85 has a chance of 1 %. Both stages see the spread within a segment, and Student's t
    is wide for few segments, so that it covers more often rather than less."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        teacher, student = drifting(rng, segments=segments, size=150)
        found = interval(segment_quantile_ratio(teacher, student, q, 0.9, rng, replicates=200))
        covered += found.lower <= 3.0 <= found.upper
    assert covered / 200 >= 0.85
