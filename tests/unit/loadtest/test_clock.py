"""Being on time, whatever the wall clock does."""

from __future__ import annotations

import time

import gevent
import numpy as np
import pytest

from loadtest import clock
from loadtest.clock import Alarm, RunClock


def late_ms(alarm: Alarm, run: RunClock, due: list[float]) -> list[float]:
    found = []
    for each in due:
        alarm.wait_until(each)
        found.append((run.now() - each) * 1000)
    return found


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_nobody_is_woken_early_and_hardly_late(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock.sys, "platform", platform)
    run = RunClock(time.monotonic())
    alarm = Alarm(run)
    late = late_ms(alarm, run, [0.01 + number * 0.0037 for number in range(60)])
    alarm.close()
    assert min(late) >= 0.0
    assert np.median(late) < 2.0


def test_a_step_of_the_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunClock(time.monotonic())
    alarm = Alarm(run)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    began = time.monotonic()
    alarm.wait_until(0.05)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    alarm.wait_until(0.10)
    alarm.close()
    assert time.monotonic() - began == pytest.approx(0.1, abs=0.03)


def test_others_get_their_turn_even_when_every_moment_has_passed() -> None:
    run = RunClock(time.monotonic() - 10)
    alarm = Alarm(run)
    turns: list[int] = []
    other = gevent.spawn(lambda: [turns.append(number) or gevent.sleep(0) for number in range(5)])
    for _ in range(8):
        alarm.wait_until(1.0)
    alarm.close()
    other.kill()
    assert turns == [0, 1, 2, 3, 4]
