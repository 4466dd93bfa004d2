from __future__ import annotations

import pytest

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.proportions import WILSON, proportion


def test_no_units_are_missing_evidence() -> None:
    assert proportion(0, 0, level=0.95) == NotEstimable(reason="there are no units", n=0, n_needed=1)


def test_interval_says_its_point_level_and_units() -> None:
    share = proportion(30, 40, level=0.9)
    assert isinstance(share, Interval)
    assert (share.point, share.level, share.n, share.method) == (0.75, 0.9, 40, WILSON)


def test_a_unanimous_sample_has_width_and_ends_at_its_edge() -> None:
    share = proportion(12, 12, level=0.95)
    assert isinstance(share, Interval)
    assert share.upper == 1.0
    assert share.lower == pytest.approx(0.025 ** (1 / 12))


@pytest.mark.parametrize(
    ("successes", "n", "message"),
    [
        (-1, 5, "successes is -1; give a count of at least 0"),
        (0, -5, "n is -5; give a count of at least 0"),
        (6, 5, "successes is 6; there are only n = 5 units"),
    ],
)
def test_impossible_counts_are_named(successes: int, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proportion(successes, n, level=0.95)


def test_a_level_that_is_no_fraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"level is 95"):
        proportion(1, 2, level=95)
