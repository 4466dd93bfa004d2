"""What the watch sees of real processes, and of clocks that are set."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest import server_watch
from loadtest.server_watch import FILE, Watch, Watched, watching, write_watched

BUSY = """
import os, sys, time
if sys.argv[1] != "any":
    os.sched_setaffinity(0, {int(sys.argv[1])})
print(flush=True)
share = float(sys.argv[2])
while True:
    end = time.perf_counter() + 0.02 * share
    while time.perf_counter() < end:
        pass
    time.sleep(0.02 * (1 - share))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")


@contextmanager
def busy(core: int | str, share: float) -> Iterator[int]:
    """A process that uses so much of a core."""
    with subprocess.Popen([sys.executable, "-c", BUSY, str(core), str(share)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def follow(watch: Watch, seconds: float) -> None:
    """As a run does that reports its progress."""
    told: list[float] = []
    on_progress = watch.following(told.append)
    for tenth in range(round(seconds * 10)):
        on_progress(tenth / seconds / 10)
        time.sleep(0.1)
    on_progress(1.0)
    assert told[-1] == 1.0


def test_what_the_server_uses_is_its_own_and_a_process_beside_it_is_foreign() -> None:
    core = min(os.sched_getaffinity(0))
    with busy(core, 0.4) as server, busy(core, 0.9):
        with watching(server, generator_core=core + 1) as watch:
            follow(watch, 2.5)
        seen = watch.watched
    assert seen.server_cores == (core,)
    assert seen.server_pid == server
    assert seen.server_share is not None
    assert seen.server_share > 0.05
    assert seen.foreign_share is not None
    assert seen.foreign_share > 0.2
    assert seen.worst_foreign_share is not None
    assert seen.worst_foreign_share >= seen.foreign_share * 0.9
    assert seen.server_share + seen.foreign_share < 1.1
    assert seen.separated
    assert seen.unknown is None


def test_the_servers_children_are_the_server() -> None:
    core = min(os.sched_getaffinity(0))
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}, '{core}', '0.9'])"
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{core}}})\n{parent}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            with watching(process.pid, core + 1) as watch:
                follow(watch, 1.5)
        finally:
            (child,) = server_watch.psutil.Process(process.pid).children()
            child.kill()
            process.wait(10)
    assert watch.watched.server_share is not None
    assert watch.watched.server_share > 0.05


def test_a_generator_without_a_core_of_its_own_is_not_foreign_to_the_server() -> None:
    """Here it is a child of this process, as generators are."""
    core = min(os.sched_getaffinity(0))
    with busy(core, 0.1) as server, busy(core, 0.9):
        with watching(server, generator_core=None) as shared:
            follow(shared, 1.5)
        with watching(server, generator_core=core + 1) as apart:
            follow(apart, 1.5)
    assert not shared.watched.separated
    assert shared.watched.foreign_share is not None
    assert apart.watched.foreign_share is not None
    assert shared.watched.foreign_share < apart.watched.foreign_share


def test_a_server_that_dies_leaves_no_share_but_a_reason() -> None:
    with busy("any", 0.1) as server, watching(server, 0) as watch:
        watch.look()
        os.kill(server, 9)
        os.waitpid(server, 0)
        watch.look()
    assert watch.watched.foreign_share is None
    assert "could not be watched to the end" in str(watch.watched.unknown)


def test_a_process_that_is_not_there_is_said_to_be_unknown() -> None:
    with watching(2**22 + 1, 0) as watch:
        pass
    assert watch.watched.foreign_share is None
    assert "NoSuchProcess" in str(watch.watched.unknown)


def test_of_a_server_elsewhere_only_the_clock_is_watched() -> None:
    with watching(None) as watch:
        pass
    assert watch.watched.server_cores == ()
    assert watch.watched.foreign_share is None
    assert watch.watched.clock_step_s < 0.05


@pytest.mark.parametrize("step_s", [-30.0, 0.5])
def test_a_clock_that_is_set_during_the_run_is_noticed(step_s: float) -> None:
    looks = itertools.count()
    with watching(None, wall=lambda: time.monotonic() + (step_s if next(looks) else 0.0)) as watch:
        pass
    assert watch.watched.clock_step_s == pytest.approx(abs(step_s), abs=0.05)


def test_a_clock_that_is_set_and_set_back_is_noticed() -> None:
    """Looks in between see what two looks, at the start and the end, would not."""
    looks = itertools.count()
    with watching(None, wall=lambda: time.monotonic() + (3.0 if 1 <= next(looks) <= 2 else 0.0)) as watch:
        follow(watch, 0.5)
    assert watch.watched.clock_step_s == pytest.approx(3.0, abs=0.05)


def test_a_run_that_reported_no_progress_is_unknown() -> None:
    with busy("any", 0.1) as server, watching(server, 0) as watch:
        pass
    assert watch.watched.foreign_share is None
    assert "no progress" in str(watch.watched.unknown)


def test_the_result_is_there_only_afterwards(tmp_path: Path) -> None:
    with watching(os.getpid()) as watch, pytest.raises(RuntimeError, match="leave its with block"):
        _ = watch.watched
    assert isinstance(watch.watched, Watched)
    write_watched(tmp_path, watch.watched)
    assert '"clock_step_s"' in (tmp_path / FILE).read_text()
