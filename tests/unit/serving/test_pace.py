"""How long a row will take, from the batches before it."""

from __future__ import annotations

import pytest

from serving.pace import Pace


def test_nothing_is_foreseen_before_the_first_batch():
    assert Pace().wait_s(100, now=3.0) == 0.0


def test_rows_wait_for_those_ahead_and_for_what_is_left_of_the_batch_that_runs():
    pace = Pace()
    pace.began(10.0, rows=4)
    pace.finished(10.4, more=False)
    assert pace.wait_s(5, now=50.0) == pytest.approx(0.5)
    pace.began(60.0, rows=4)
    assert pace.wait_s(5, now=60.1) == pytest.approx(0.5 + 0.3)
    assert pace.wait_s(5, now=69.0) == pytest.approx(0.5), "a batch that is overdue ends at any moment"


def test_the_time_between_batches_counts_while_rows_wait_and_not_while_none_do():
    busy, calm = Pace(), Pace()
    for pace, more in ((busy, True), (calm, False)):
        pace.began(0.0, rows=1)
        pace.finished(1.0, more=more)
        for number in range(1, 200):
            pace.began(2.0 * number, rows=1)  # a second after the last one ended
            pace.finished(2.0 * number + 1.0, more=more)
    assert busy.wait_s(1, now=999.0) == pytest.approx(2.0, rel=0.01)
    assert calm.wait_s(1, now=999.0) == pytest.approx(1.0)


def test_the_time_a_row_takes_is_a_running_mean():
    pace = Pace()
    pace.began(0.0, rows=8)
    pace.finished(0.8, more=False)
    assert pace.wait_s(1, now=1.0) == pytest.approx(0.1)
    for number in range(100):
        pace.began(10.0 * number, rows=8)
        pace.finished(10.0 * number + 1.6, more=False)
    assert abs(pace.wait_s(1, now=2_000.0) - 0.2) < 1e-3
