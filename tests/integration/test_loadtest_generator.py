"""The generator against a real HTTP server of known behaviour, both as processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from evalkit.stats.interval import Interval
from loadtest import layout, run
from loadtest.crew import READY
from loadtest.errors import LoadTestError
from loadtest.generator_info import GeneratorInfo, read_generator_info
from loadtest.merging import merge
from loadtest.plan import Arrivals, OpenLoopPlan, SaturationPlan
from loadtest.run import prepare, run_plan
from loadtest.samples import SCHEMA, read_samples
from loadtest.schedule import intended_times, payload_order
from loadtest.summary import count_answers, summarise, throughput
from loadtest.validity import saturation_void_reasons, void_reasons
from tests.stub_serving import stub_server

pytestmark = pytest.mark.alone

TEXTS = ["a", "b", "c", "d"]
LABELS = ["A", "B", "C", "D"]


def open_plan(url: str, **fields: Any) -> OpenLoopPlan:
    defaults: dict[str, Any] = {"rate_rps": 100.0, "duration_s": 1.5, "seed": 11, "timeout_s": 5.0}
    return OpenLoopPlan(url=url, **(defaults | fields))


def measure(plan: OpenLoopPlan | SaturationPlan, directory: Path) -> tuple[pd.DataFrame, GeneratorInfo]:
    samples = run_plan(plan, TEXTS, LABELS, directory)
    return read_samples(samples), read_generator_info(directory / layout.GENERATOR)


def point(estimate: object) -> float:
    assert isinstance(estimate, Interval), estimate
    return estimate.point


def test_an_open_loop_is_on_schedule_and_right_at_200_rps(tmp_path: Path) -> None:
    """At least one of three runs stands, where other work shares the cores."""
    with stub_server() as url:
        plan = open_plan(url, rate_rps=200.0, duration_s=3.0, warmup_s=1.0, limit_ms=500.0)
        for attempt in range(3):
            progress: list[float] = []
            path = run_plan(plan, TEXTS, LABELS, tmp_path / str(attempt), on_progress=progress.append)
            samples, info = read_samples(path), read_generator_info(path.parent / layout.GENERATOR)
            summary = summarise(samples, plan, 0.9)
            void = void_reasons(summary, info, plan.limit_ms)
            if not void:
                break
    assert void == ()
    assert summary.achieved_ratio is not None
    assert summary.achieved_ratio >= 0.99
    assert list(samples.columns) == [*SCHEMA.names, "text_length"]
    np.testing.assert_array_equal(samples["intended_s"], intended_times(plan))
    assert (samples["sent_s"] >= samples["intended_s"]).all()
    assert samples["payload"].tolist() == list(islice(payload_order(plan.seed, 4), len(samples)))
    assert samples["label_matches"].all()
    assert samples["warmup"].sum() == (intended_times(plan) < 1.0).sum()
    assert info.sent == len(samples)
    assert 0 < info.cpu_share < 0.95
    assert progress == sorted(progress)
    assert progress[-1] > 0.9


def queue_latency_ms(plan: OpenLoopPlan, service_s: float, freeze_at: int, freeze_s: float) -> np.ndarray:
    """One server, first come first served (Lindley's recursion), frozen once, by intended send time."""
    free_s, latency_s = 0.0, []
    for number, intended_s in enumerate(intended_times(plan).tolist(), start=1):
        free_s = max(free_s, intended_s) + service_s + (freeze_s if number == freeze_at else 0.0)
        latency_s.append(free_s - intended_s)
    return np.array(latency_s) * 1000


def test_a_freeze_of_the_server_shows_in_the_latency_from_the_intended_send(tmp_path: Path) -> None:
    with stub_server("--service-ms", "1", "--freeze-at", "200", "--freeze-s", "0.8") as url:
        plan = open_plan(url, duration_s=4.0)
        samples, _ = measure(plan, tmp_path)
    summary = summarise(samples, plan, 0.9)
    simulated = np.quantile(queue_latency_ms(plan, 0.001, 200, 0.8), 0.99, method="inverted_cdf")
    assert simulated > 600.0
    assert summary.observed_p99_ms == pytest.approx(simulated, rel=0.10)
    assert point(summary.service_p50_ms) < 50.0
    assert summary.send_lag_p99_ms is not None
    assert summary.send_lag_p99_ms < 0.2 * simulated  # the freeze delays no send
    assert samples["ok"].all()


def test_constant_arrivals_leave_equally_spaced(tmp_path: Path) -> None:
    with stub_server() as url:
        samples, _ = measure(open_plan(url, arrivals=Arrivals.CONSTANT, rate_rps=50.0), tmp_path)
    np.testing.assert_allclose(np.diff(samples["intended_s"]), 0.02)
    assert np.median(np.diff(samples["sent_s"])) == pytest.approx(0.02, rel=0.05)


def test_the_share_of_500s_is_counted_and_voids_the_run(tmp_path: Path) -> None:
    with stub_server("--fail-every", "4") as url:
        plan = open_plan(url)
        samples, info = measure(plan, tmp_path)
    summary = summarise(samples, plan, 0.9)
    assert summary.answers.failed == len(samples) // 4 == (samples["status"] == 500).sum()
    assert point(summary.p90_ms) == plan.timeout_s * 1000
    assert any("requests failed" in reason for reason in void_reasons(summary, info, None))


@pytest.mark.parametrize("page", ["--fail-every=2", "--binary-errors"])
def test_saturation_goes_on_through_500s_and_unreadable_error_pages(page: str, tmp_path: Path) -> None:
    with stub_server("--service-ms", "2", "--fail-every", "2", page) as url:
        plan = SaturationPlan(url=url, clients=2, duration_s=1.0, timeout_s=5.0)
        samples, info = measure(plan, tmp_path)
    answers = count_answers(samples)
    assert answers.failed == pytest.approx(answers.requests / 2, abs=1)
    assert answers.requests > 50
    assert any("requests failed" in reason for reason in saturation_void_reasons(answers, info))


def test_a_server_that_dies_midway_leaves_failed_samples(tmp_path: Path) -> None:
    with stub_server("--die-at", "101") as url:
        plan = open_plan(url)
        samples, info = measure(plan, tmp_path)
    assert len(samples) == len(intended_times(plan))
    assert samples["ok"].sum() == 100
    assert (samples.loc[~samples["ok"], "status"] == 0).all()
    assert set(samples.loc[~samples["ok"], "failure"]) <= {"closed", "connect"}
    assert not info.partial
    assert void_reasons(summarise(samples, plan, 0.9), info, None)


def test_a_dead_server_never_looks_fast(tmp_path: Path) -> None:
    with stub_server() as url:
        pass
    plan = open_plan(url, duration_s=1.0)
    samples, info = measure(plan, tmp_path)
    summary = summarise(samples, plan, 0.9)
    assert summary.answers.failure_rate == 1.0
    assert (samples["failure"] == "connect").all()
    assert point(summary.p50_ms) == plan.timeout_s * 1000
    assert any("a rate of 1.0000" in reason for reason in void_reasons(summary, info, None))


@pytest.mark.parametrize("slowness", [("--freeze-at", "1", "--freeze-s", "30"), ("--trickle",)])
def test_a_request_past_its_time_out_is_given_up_and_failed(slowness: tuple[str], tmp_path: Path) -> None:
    """Also where a byte comes often enough that no single read takes too long."""
    with stub_server(*slowness) as url:
        plan = open_plan(url, duration_s=1.0, timeout_s=0.5)
        samples, _ = measure(plan, tmp_path)
    assert (samples["failure"] == "timeout").all()
    assert samples["service_ms"].median() == pytest.approx(500.0, rel=0.1)


def test_wrong_labels_under_load_are_counted_and_void_the_run(tmp_path: Path) -> None:
    with stub_server("--wrong-every", "10") as url:
        plan = open_plan(url)
        samples, info = measure(plan, tmp_path)
    summary = summarise(samples, plan, 0.9)
    assert summary.answers.checked == len(samples)
    assert summary.answers.wrong_labels == len(samples) // 10
    assert summary.answers.failed == 0
    assert any("another label" in reason for reason in void_reasons(summary, info, None))


def test_a_redirect_is_a_failure_and_is_not_followed(tmp_path: Path) -> None:
    with stub_server() as elsewhere, stub_server("--redirect-to", f"{elsewhere}/v1/classify") as url:
        samples, _ = measure(open_plan(url, duration_s=1.0), tmp_path)
    assert (samples["status"] == 307).all()
    assert (samples["failure"] == "redirect").all()


def test_saturation_finds_the_rate_of_a_server_that_takes_5_ms(tmp_path: Path) -> None:
    """Never above 200 rps; close below it, in the best of three runs where other work shares the cores."""
    best = 0.0
    with stub_server("--service-ms", "5") as url:
        plan = SaturationPlan(url=url, clients=4, duration_s=2.0, warmup_s=0.5, timeout_s=5.0)
        for attempt in range(3):
            samples, info = measure(plan, tmp_path / str(attempt))
            assert saturation_void_reasons(count_answers(samples), info) == ()
            best = max(best, point(throughput(samples, plan, 0.95)))
            if best > 170.0:
                break
    assert 150.0 < best <= 203.0


def test_saturation_with_more_clients_only_queues(tmp_path: Path) -> None:
    with stub_server("--service-ms", "5") as url:
        plan = SaturationPlan(url=url, clients=8, duration_s=1.0, timeout_s=5.0)
        samples, _ = measure(plan, tmp_path)
    # 8 clients always wait on one server: 7 are queued before each
    assert samples["service_ms"].median() == pytest.approx(8 * 5.0, rel=0.35)


@contextmanager
def generator(plan: OpenLoopPlan, directory: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A generator in the middle of a run of 30 s."""
    prepare(plan, TEXTS, LABELS, directory)
    command = [sys.executable, "-P", "-m", "loadtest.generator", str(directory), "--worker", "0", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline().decode() == f"{READY}\n"
            process.stdin.write(f"go {time.monotonic()}\n".encode())
            process.stdin.flush()
            while float(process.stdout.readline()) < 0.02:  # 0.6 s
                pass
            yield process
        finally:
            process.kill()


def test_a_terminated_generator_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    with stub_server() as url:
        plan = open_plan(url, duration_s=30.0)
        with generator(plan, tmp_path, "--core", "0") as process:
            assert psutil.Process(process.pid).cpu_affinity() == [0]
            process.terminate()
            assert process.wait(20) == 0
    merge(tmp_path, plan, 1, None)
    info = read_generator_info(tmp_path / layout.GENERATOR)
    samples = read_samples(tmp_path / layout.SAMPLES)
    assert info.partial
    assert info.core == 0
    assert info.foreign_core_share is not None
    assert 30 < len(samples) < 2000
    assert "interrupted" in void_reasons(summarise(samples, plan, 0.9), info, None)[0]


def test_the_generator_ends_with_its_stdin(tmp_path: Path) -> None:
    with stub_server() as url, generator(open_plan(url, duration_s=30.0), tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) != 0
    assert not (tmp_path / "worker-0" / layout.GENERATOR).exists()


def test_a_generator_that_is_killed_leaves_what_it_has_measured(tmp_path: Path) -> None:
    """Nothing it sent counts as answered unless the answer was recorded."""
    with stub_server("--freeze-at", "40", "--freeze-s", "60") as url:
        plan = open_plan(url, duration_s=30.0)
        with generator(plan, tmp_path) as process:
            process.kill()
            process.wait(10)
    merge(tmp_path, plan, 1, None)
    samples = read_samples(tmp_path / layout.SAMPLES)
    assert samples["ok"].sum() == 39
    assert (samples.loc[~samples["ok"], "failure"] == "cut").all()
    assert samples["latency_ms"].notna().all()
    assert not (tmp_path / layout.GENERATOR).exists()


PARENT = """
import sys
from pathlib import Path
from loadtest.plan import OpenLoopPlan
from loadtest.run import run_plan

plan = OpenLoopPlan(url=sys.argv[1], rate_rps=50.0, duration_s=60.0)
run_plan(plan, ["a"], None, Path(sys.argv[2]), on_progress=lambda fraction: print(fraction, flush=True))
"""


def test_a_killed_parent_takes_the_generator_along(tmp_path: Path) -> None:
    with stub_server() as url:
        command = [sys.executable, "-P", "-c", PARENT, url, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            parent.stdout.readline()
            (child,) = psutil.Process(parent.pid).children()
            assert "loadtest.generator" in child.cmdline()
            parent.kill()
        _, alive = psutil.wait_procs([child], timeout=10)
        assert not alive


def test_whatever_stops_the_caller_stops_the_generator(tmp_path: Path) -> None:
    def interrupt(_: float) -> None:
        for child in psutil.Process().children():
            if "loadtest.generator" in child.cmdline():
                child.suspend()  # now it cannot see its stdin end; only a kill ends it
        raise KeyboardInterrupt

    with stub_server() as url:
        before = set(psutil.Process().children())
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_plan(open_plan(url, duration_s=60.0), TEXTS, LABELS, tmp_path, on_progress=interrupt)
        assert read_samples(tmp_path / layout.SAMPLES).columns.tolist()[:-1] == SCHEMA.names
        assert time.monotonic() - start < 30.0
        assert set(psutil.Process().children()) == before


def test_a_generator_that_breaks_raises_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / layout.SAMPLES).write_bytes(b"from an earlier run")
    monkeypatch.setattr(run, "write_payloads", lambda path, *_: path.write_text("not json"))
    with pytest.raises(LoadTestError, match="JSONDecodeError"):
        run_plan(open_plan("http://127.0.0.1:9"), TEXTS, LABELS, tmp_path)
    assert not (tmp_path / layout.SAMPLES).exists()


def test_a_user_that_breaks_ends_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "write_payloads", lambda path, *_: path.write_text(""))
    start = time.monotonic()
    with pytest.raises(LoadTestError, match="ValueError"):
        run_plan(open_plan("http://127.0.0.1:9", duration_s=60.0), TEXTS, LABELS, tmp_path)
    assert time.monotonic() - start < 30.0


def test_a_core_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="core is 4096"):
        run_plan(open_plan("http://127.0.0.1:9"), TEXTS, LABELS, tmp_path, core=4096)


def test_importing_the_generator_patches_nothing_here() -> None:
    code = "import loadtest.generator, loadtest.run, gevent.monkey, sys; sys.exit(bool(gevent.monkey.saved))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
