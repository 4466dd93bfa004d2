"""When a failed request is sent again."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.teachers.retrying import LONGEST_WAIT_S, retry_after_s, wait_s


def test_the_wait_doubles_from_half_a_second_to_its_limit_with_jitter():
    rng = np.random.default_rng(1)
    for attempt, most in ((1, 0.5), (2, 1.0), (4, 4.0), (50, LONGEST_WAIT_S)):
        waits = [wait_s(attempt, None, rng) for _ in range(200)]
        assert most / 2 <= min(waits) < 0.6 * most
        assert 0.9 * most < max(waits) <= most


def test_nothing_is_sent_before_the_retry_after():
    rng = np.random.default_rng(1)
    assert all(20 <= wait_s(1, 20.0, rng) <= 22 for _ in range(200))


def test_a_retry_after_is_read_as_seconds_milliseconds_or_a_date():
    assert retry_after_s({"retry-after": "1.5"}) == 1.5
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    at = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}  # the form of RFC 9110, section 10.2.3
    assert retry_after_s(at, now=1792567680.0 - 30) == pytest.approx(30.0)
    assert retry_after_s(at, now=1792567680.0 + 30) == 0.0


@pytest.mark.parametrize("stated", ["", "soon", "-1", "nan", "inf"])
def test_a_retry_after_that_means_nothing_is_none(stated):
    assert retry_after_s({"retry-after": stated}) is None
