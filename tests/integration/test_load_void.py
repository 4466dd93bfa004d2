"""Each way in which a machine can spoil a load measurement, planted with real processes, and a clean run without."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalkit.spec.gate import Serve
from evalkit.workflow.served_process import served
from loadtest import layout
from loadtest.crew import Progress
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan, SaturationPlan
from loadtest.run import run_plan
from loadtest.samples import read_samples
from loadtest.server_watch import watching
from loadtest.summary import count_answers, summarise
from loadtest.validity import MAX_CPU_SHARE, ServedSide, saturation_void_reasons, void_reasons
from tests.model_folders import write_tiny_model_folder
from tests.unit.loadtest.raw_server import always, raw_server

STUB = Path(__file__).parents[1] / "unit" / "loadtest" / "stub_server.py"
TEXTS, LABELS = ["a", "b", "c", "d"], ["A", "B", "C", "D"]
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
LIMIT_MS = 50.0
QUIET = 0.10  # of a core used by others: above it, this machine cannot show a clean run

pytestmark = [pytest.mark.alone, pytest.mark.skipif(len(CORES) < 2, reason="server and generator need a core each")]


@contextmanager
def process(*command: str) -> Iterator[tuple[int, str]]:
    """Its process id and first line, while it lives."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield started.pid, started.stdout.readline()
        finally:
            started.kill()


def hog(core: int) -> Any:
    """A process that takes all it can get of a core."""
    return process("-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass")


def reasons(
    folder: Path, *options: str, rate_rps: float = 100.0, check_share: float = 1.0, on_progress: Progress | None = None
) -> tuple[str, ...]:
    """Why an open loop against the stub on a core of its own is void."""
    server_core, generator_core = CORES[0], CORES[-1]
    with process(str(STUB), "--core", str(server_core), *options) as (pid, port):
        plan = OpenLoopPlan(
            url=f"http://127.0.0.1:{int(port)}",
            rate_rps=rate_rps,
            duration_s=3.0,
            warmup_s=0.5,
            seed=5,
            timeout_s=5.0,
            limit_ms=LIMIT_MS,
            check_share=check_share,
        )
        with watching(pid, generator_core) as watch:
            path = run_plan(plan, TEXTS, LABELS, folder, core=generator_core, on_progress=watch.following(on_progress))
    side = ServedSide(watched=watch.watched, provider_asked="auto", provider="cpu", check_share=check_share)
    info = read_generator_info(folder / layout.GENERATOR)
    return void_reasons(summarise(read_samples(path), plan, 0.9), info, LIMIT_MS, side)


def has(found: tuple[str, ...], part: str) -> bool:
    return any(part in reason for reason in found)


def is_quiet() -> bool:
    """Whether others leave this machine alone just now."""
    return max(psutil.cpu_percent(0.5, percpu=True)) / 100 <= QUIET


def test_a_clean_run_stands(tmp_path: Path) -> None:
    """One of three runs. A run counts against it only where others left the cores alone before and after it."""
    fair: list[tuple[str, ...]] = []
    for attempt in range(3):
        quiet_before = is_quiet()
        found = reasons(tmp_path / str(attempt), "--service-ms", "1")
        if not found:
            return
        if quiet_before and is_quiet():
            fair.append(found)
    if len(fair) < 2:
        pytest.skip(f"other work did not leave the cores alone: {' '.join(found)}")
    assert fair == []


def test_a_process_on_the_servers_core_voids_the_run(tmp_path: Path) -> None:
    with hog(CORES[0]):
        assert has(reasons(tmp_path, "--service-ms", "1"), f"of the server's core {CORES[0]}")


def test_a_generator_that_is_starved_of_its_core_voids_the_run(tmp_path: Path) -> None:
    """It is stopped for 60 ms in every quarter of a second, as by others that take its core."""

    def take_its_turn(_: float) -> None:
        for child in psutil.Process().children():
            with suppress(psutil.Error):  # one that has just ended
                if "loadtest.generator" in child.cmdline():
                    child.suspend()
                    time.sleep(0.06)
                    child.resume()

    found = reasons(tmp_path, on_progress=take_its_turn)
    assert has(found, "sent late")


def test_a_generator_that_is_asked_for_more_than_it_can_send_voids_the_run(tmp_path: Path) -> None:
    found = reasons(tmp_path, rate_rps=15_000.0)
    assert has(found, "of the scheduled requests were sent in time; at least 0.99 must be")
    assert has(found, "sent late")


def test_a_generator_that_uses_all_of_its_core_voids_the_run(tmp_path: Path) -> None:
    """The server sends a megabyte that it has ready; the generator has to read 300,000 numbers in it."""
    body = b'{"predictions": [{"label": "A"}], "more": [0%b]}' % (b",0" * 300_000)
    with raw_server(always(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        path = run_plan(SaturationPlan(url=url, clients=4, duration_s=2.0), ["a"], ["A"], tmp_path, core=CORES[-1])
    info = read_generator_info(tmp_path / layout.GENERATOR)
    if info.foreign_core_share is None or info.foreign_core_share > 1 - MAX_CPU_SHARE:
        pytest.skip(f"other work took {info.foreign_core_share} of the generator's core")
    found = saturation_void_reasons(count_answers(read_samples(path)), info)
    assert found == (f"The generator used {info.cpu_share:.3f} of a core; at most 0.95 is allowed.",)


def test_a_server_that_runs_on_another_provider_than_was_asked_for_voids_the_run(tmp_path: Path) -> None:
    """A real server that was left to choose, and says what it chose, where the user asked for a GPU."""
    folder = write_tiny_model_folder(tmp_path / "model")
    with served(folder, Serve(provider="cpu"), tmp_path / "server.log", CORES[0]) as server:
        plan = OpenLoopPlan(url=server.url, rate_rps=50.0, duration_s=1.0)
        run_plan(plan, ["a good film"], None, tmp_path / "run", core=CORES[-1])
    summary = summarise(read_samples(tmp_path / "run" / layout.SAMPLES), plan, 0.9)
    info = read_generator_info(tmp_path / "run" / layout.GENERATOR)
    for asked, is_void in (("cuda", True), ("cpu", False), ("auto", False)):
        side = ServedSide(provider_asked=asked, provider=server.provider)
        said = "The server ran on the execution provider cpu; cuda was asked for."
        assert has(void_reasons(summary, info, None, side), said) == is_void


def test_wrong_answers_under_load_void_the_run_though_only_a_share_is_checked(tmp_path: Path) -> None:
    found = reasons(tmp_path, "--wrong-every", "5", check_share=0.3)
    assert has(found, "named another label than the model gives offline")
    assert not has(found, "answers were compared")


def test_errors_void_the_run(tmp_path: Path) -> None:
    assert has(reasons(tmp_path, "--fail-every", "10"), "requests failed, a rate of 0.0987; at most 0.01")


def test_a_server_that_dies_voids_the_run(tmp_path: Path) -> None:
    found = reasons(tmp_path, "--die-at", "150")
    assert has(found, "requests failed")


def test_a_process_on_the_servers_core_voids_a_saturation_too(tmp_path: Path) -> None:
    with hog(CORES[0]), process(str(STUB), "--core", str(CORES[0]), "--service-ms", "2") as (pid, port):
        plan = SaturationPlan(url=f"http://127.0.0.1:{int(port)}", clients=4, duration_s=2.0)
        with watching(pid, CORES[-1]) as watch:
            path = run_plan(plan, TEXTS, LABELS, tmp_path, core=CORES[-1], on_progress=watch.following())
    info = read_generator_info(tmp_path / layout.GENERATOR)
    found = saturation_void_reasons(count_answers(read_samples(path)), info, ServedSide(watched=watch.watched))
    assert has(found, "Other processes used")
