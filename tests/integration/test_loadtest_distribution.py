"""One run from two generators: two processes here, and two hosts in network namespaces of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from loadtest import layout
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan, plan_from_json
from loadtest.run import generator_cores, run_plan
from loadtest.samples import read_samples
from loadtest.schedule import schedule_of, split
from tests.stub_serving import stub_port

pytestmark = pytest.mark.alone

TEXTS, LABELS = ["a", "b", "c", "d"], ["A", "B", "C", "D"]
ROOT = Path(__file__).parents[2]
EVALKIT = [sys.executable, "-m", "evalkit"]


def check_whole(folder: Path, plan: OpenLoopPlan) -> pd.DataFrame:
    """The samples of two workers are the schedule, each request once, and by whom the split says."""
    samples = read_samples(folder / layout.SAMPLES)
    whole = schedule_of(plan, len(TEXTS))
    np.testing.assert_array_equal(samples["intended_s"], whole.intended_s)
    np.testing.assert_array_equal(samples["payload"], whole.payload)
    np.testing.assert_array_equal(samples["number"], whole.number)
    for worker, part in enumerate(split(whole, 2, plan.seed)):
        np.testing.assert_array_equal(samples.loc[samples["worker"] == worker, "number"], part.number)
    assert kstest(np.diff(samples["sent_s"].sort_values()) * plan.rate_rps, "expon").pvalue > 1e-4
    assert read_generator_info(folder / layout.GENERATOR).sent == len(samples)
    return samples


def test_two_processes_send_one_schedule_from_one_moment_on(tmp_path: Path) -> None:
    with stub_port() as port:
        plan = OpenLoopPlan(url=f"http://127.0.0.1:{port}", rate_rps=150.0, duration_s=3.0, seed=3, timeout_s=5.0)
        run_plan(plan, TEXTS, LABELS, tmp_path, workers=2)
    samples = check_whole(tmp_path, plan)
    assert samples["ok"].all()
    assert samples["label_matches"].all()
    lag_ms = (samples["sent_s"] - samples["intended_s"]).groupby(samples["worker"]).median() * 1000
    assert (lag_ms < 5.0).all()  # both by the same clock, from the same moment
    assert {path.name for path in tmp_path.glob("worker-*")} == {"worker-0", "worker-1"}


def test_cores_are_shared_out_where_one_is_left_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert generator_cores(2) == [2, 3]
    assert generator_cores(4) == [None] * 4
    assert generator_cores(1) == [None]
    assert generator_cores(1, 2) == [2]
    with pytest.raises(ValueError, match="core is 9"):
        generator_cores(1, 9)
    with pytest.raises(ValueError, match="for 2 workers"):
        generator_cores(2, 1)


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_an_absurd_number_of_workers_is_refused(workers: int, tmp_path: Path) -> None:
    plan = OpenLoopPlan(url="http://127.0.0.1:9", rate_rps=50.0, duration_s=1.0)
    with pytest.raises(ValueError, match=f"workers is {workers}"):
        run_plan(plan, TEXTS, LABELS, tmp_path, workers=workers)


def requests(folder: Path) -> Path:
    path = folder / "requests.csv"
    path.write_text("text,label\n" + "\n".join(map(",".join, zip(TEXTS, LABELS, strict=True))) + "\n")
    return path


def started(command: list[str], cwd: Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def master_command(url: str, place: str, folder: Path, *options: str) -> list[str]:
    options = ("--rate", "150", "--duration", "3s", "--warmup", "500ms", "--p99-ms", "1000", *options)
    shared = ["--requests", str(requests(folder)), "--expected-column", "label", "--out", str(folder / "load")]
    return [*EVALKIT, "load", url, *shared, "--master", place, "--workers", "2", *options]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def place() -> str:
    return f"127.0.0.1:{free_port()}"


def finished(process: subprocess.Popen[str], within_s: float = 60.0) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=within_s)
    finally:
        process.kill()
    return process.returncode, out, err


def plan_of(folder: Path) -> OpenLoopPlan:
    plan = plan_from_json((folder / "load" / layout.PLAN).read_text())
    assert isinstance(plan, OpenLoopPlan)
    return plan


def test_a_master_and_two_workers_that_start_before_it(tmp_path: Path, place: str) -> None:
    with stub_port() as port:
        workers = [started([*EVALKIT, "load", "--worker", place], tmp_path) for _ in range(2)]
        master = started(master_command(f"http://127.0.0.1:{port}", place, tmp_path), tmp_path)
        code, _, err = finished(master)
        ends = [finished(worker) for worker in workers]
    assert code in (0, 3), err  # 3: void, where other work shares the cores
    assert [end[0] for end in ends] == [0, 0], ends
    samples = check_whole(tmp_path / "load", plan_of(tmp_path))
    assert samples["ok"].all()
    assert json.loads((tmp_path / "load" / layout.SUMMARY).read_text())["partial"] is False


def test_a_lost_worker_fails_the_run_and_keeps_the_others_samples(tmp_path: Path, place: str) -> None:
    with stub_port() as port:
        workers = [started([*EVALKIT, "load", "--worker", place], tmp_path) for _ in range(2)]
        master = started(master_command(f"http://127.0.0.1:{port}", place, tmp_path, "--duration", "60s"), tmp_path)
        wait_for_sends(workers, port)
        workers[0].kill()
        finished(workers[0])
        code, _, err = finished(master)
        other = finished(workers[1])
    assert code == 4
    assert "is lost" in err or "is gone" in err
    assert "samples so far are kept" in err
    assert other[0] == 0, other
    samples = read_samples(tmp_path / "load" / layout.SAMPLES)
    assert samples["worker"].nunique() == 1
    assert not (tmp_path / "load" / layout.GENERATOR).exists()


def test_an_interrupted_master_stops_its_workers_and_keeps_their_samples(tmp_path: Path, place: str) -> None:
    with stub_port() as port:
        workers = [started([*EVALKIT, "load", "--worker", place], tmp_path) for _ in range(2)]
        master = started(master_command(f"http://127.0.0.1:{port}", place, tmp_path, "--duration", "60s"), tmp_path)
        wait_for_sends(workers, port)
        time.sleep(1.0)
        master.send_signal(signal.SIGINT)
        code, out, err = finished(master)
        ends = [finished(worker) for worker in workers]
    assert code == 130, err
    assert "VOID: The run was interrupted" in out
    assert [end[0] for end in ends] == [0, 0], ends
    assert read_samples(tmp_path / "load" / layout.SAMPLES)["worker"].nunique() == 2
    assert json.loads((tmp_path / "load" / layout.SUMMARY).read_text())["partial"] is True


def wait_for_sends(workers: list[subprocess.Popen[str]], port: int) -> None:
    """Until generators of both workers have connections to the server."""
    import psutil

    def connected(worker: subprocess.Popen[str]) -> bool:
        return any(
            connection.raddr and connection.raddr.port == port
            for child in psutil.Process(worker.pid).children(recursive=True)
            for connection in child.net_connections("tcp")
        )

    deadline = time.monotonic() + 40
    while not all(connected(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_worker_does_not_load_somebody_else_because_a_master_says_so(tmp_path: Path, place: str) -> None:
    workers = [started([*EVALKIT, "load", "--worker", place], tmp_path) for _ in range(2)]
    command = master_command("http://192.0.2.1:80", place, tmp_path, "--i-own-this-target")
    code, _, err = finished(started(command, tmp_path))
    ends = [finished(worker) for worker in workers]
    assert code == 4
    assert "192.0.2.1 is not this machine" in err
    assert 2 in [end[0] for end in ends]
    assert not (tmp_path / "load" / layout.SAMPLES).exists()


def test_a_stranger_at_the_masters_door_changes_nothing(tmp_path: Path, place: str) -> None:
    with stub_port() as port:
        master = started(master_command(f"http://127.0.0.1:{port}", place, tmp_path), tmp_path)
        host, _, number = place.partition(":")
        deadline = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection((host, int(number))) as stranger:
                    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        workers = [started([*EVALKIT, "load", "--worker", place], tmp_path) for _ in range(2)]
        code, _, err = finished(master)
        assert [finished(worker)[0] for worker in workers] == [0, 0]
    assert code in (0, 3), err


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def two_hosts() -> Iterator[list[str]]:
    """Two network namespaces, each joined to this one by a cable of its own: hosts 10.231.1.2 and 10.231.2.2."""
    names = [f"evalkit-{os.getpid()}-{number}" for number in (1, 2)]
    with ExitStack() as cleanup:
        for number, name in enumerate(names, start=1):
            try:
                ip("netns", "add", name)
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"this system does not let the test make network namespaces: {error}")
            cleanup.callback(ip, "netns", "del", name)
            here, there = f"ek{os.getpid() % 10_000}h{number}", f"ek{os.getpid() % 10_000}n{number}"
            ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
            ip("addr", "add", f"10.231.{number}.1/24", "dev", here)
            ip("link", "set", here, "up")
            ip("-n", name, "addr", "add", f"10.231.{number}.2/24", "dev", there)
            ip("-n", name, "link", "set", there, "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "route", "add", "default", "via", f"10.231.{number}.1")
        yield names


def test_two_hosts_load_one_server_together(tmp_path: Path, two_hosts: list[str]) -> None:
    port = free_port()
    with stub_port("--host", "0.0.0.0") as server_port:
        url = f"http://10.231.1.1:{server_port}"
        master = started(master_command(url, f"0.0.0.0:{port}", tmp_path, "--i-own-this-target"), tmp_path)
        workers = [
            started(
                [*EVALKIT, "load", "--worker", f"10.231.{number}.1:{port}", "--i-own-this-target"],
                tmp_path,
                ("ip", "netns", "exec", name),
            )
            for number, name in enumerate(two_hosts, start=1)
        ]
        code, _, err = finished(master)
        ends = [finished(worker) for worker in workers]
    assert code in (0, 3), err
    assert [end[0] for end in ends] == [0, 0], ends
    samples = check_whole(tmp_path / "load", plan_of(tmp_path))
    assert samples["ok"].all()
    assert samples["label_matches"].all()
