"""The open loop under Locust's own command: console, CSV files, web page, master and workers."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtest import layout
from loadtest.plan import OpenLoopPlan, plan_from_json
from loadtest.samples import read_samples
from loadtest.schedule import schedule_of
from tests.stub_serving import stub_server

pytestmark = pytest.mark.alone

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
TEXTS = ["a", "b", "c"]


def command(url: str, folder: Path, *options: str) -> list[str]:
    (folder / "requests.csv").write_text("text\n" + "\n".join(TEXTS) + "\n")
    own = ["--requests", "requests.csv", "--rate", "100", "--load-duration", "3s", "--warmup", "0s", "--out", "load"]
    return [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, *own, *options]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=90, check=False)


def scheduled(folder: Path) -> np.ndarray:
    plan = plan_from_json((folder / layout.PLAN).read_text())
    assert isinstance(plan, OpenLoopPlan)
    return schedule_of(plan, len(TEXTS)).intended_s


def aggregated(path: Path) -> dict[str, str]:
    with path.open() as lines:
        return next(row for row in csv.DictReader(lines) if row["Name"] == "Aggregated")


@pytest.mark.parametrize("others", [False, True], ids=["merged in batches", "fired for another listener"])
def test_headless_locust_sends_the_schedule_and_its_csv_counts_every_request(tmp_path: Path, others: bool) -> None:
    with stub_server("--fail-every", "10") as url:
        arguments = command(url, tmp_path, "--headless", "--csv", "figures", "--only-summary")
        if others:
            (tmp_path / "listener.py").write_text(
                "from locust import events\n"
                "@events.request.add_listener\n"
                "def heard(name, response_time, exception, **_):\n"
                "    print('heard', name, exception, file=open('heard.txt', 'a'))\n"
            )
            arguments[arguments.index(str(LOCUSTFILE))] = f"{LOCUSTFILE},listener.py"
        done = run(arguments, tmp_path)
    samples = read_samples(tmp_path / "load" / layout.SAMPLES)
    np.testing.assert_array_equal(samples["intended_s"], scheduled(tmp_path / "load"))
    failed = len(samples) // 10
    assert (~samples["ok"]).sum() == failed
    assert done.returncode == 1  # Locust's own rule where a request has failed
    figures = aggregated(tmp_path / "figures_stats.csv")
    assert int(figures["Request Count"]) == len(samples)
    assert int(figures["Failure Count"]) == failed
    mean_ms = samples["latency_ms"].mean()
    assert float(figures["Average Response Time"]) == pytest.approx(mean_ms, rel=1e-6)
    assert float(figures["Average Content Size"]) > 20
    with (tmp_path / "figures_failures.csv").open() as lines:
        assert [(row["Error"], int(row["Occurrences"])) for row in csv.DictReader(lines)] == [
            ("_Failed('status')", failed)
        ]
    if others:
        heard = (tmp_path / "heard.txt").read_text().splitlines()
        assert len(heard) == len(samples)
        assert sum("None" not in line for line in heard) == failed


def test_locusts_web_page_starts_the_run_and_shows_its_figures(tmp_path: Path) -> None:
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    with stub_server() as url:
        process = subprocess.Popen(
            command(url, tmp_path, "--web-host", "127.0.0.1", "--web-port", str(port)),
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until(lambda: _get(page) is not None)
            form = b"user_count=1&spawn_rate=1&host=" + url.encode()
            form += b"&requests=requests.csv&rate=100&load_duration=3s&warmup=0s&out=load&load_seed=1&text_column=text"
            assert json.load(urllib.request.urlopen(f"{page}/swarm", form, timeout=10))["success"]
            _until(lambda: (tmp_path / "load" / layout.SAMPLES).exists())
            time.sleep(0.5)
            shown = json.loads(_get(f"{page}/stats/requests") or "{}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    samples = read_samples(tmp_path / "load" / layout.SAMPLES)
    total = next(row for row in shown["stats"] if row["name"] == "Aggregated")
    assert total["num_requests"] == len(samples) == len(scheduled(tmp_path / "load"))


def test_locusts_own_master_and_workers_send_one_schedule_together(tmp_path: Path) -> None:
    port = str(free_port())
    with stub_server() as url:
        workers = [
            subprocess.Popen(
                command(url, tmp_path, "--worker", "--master-port", port), cwd=tmp_path, stderr=subprocess.DEVNULL
            )
            for _ in range(2)
        ]
        options = ("--master", "--master-bind-port", port, "--expect-workers", "2", "--headless", "-u", "2", "-r", "2")
        done = run(command(url, tmp_path, *options, "-t", "6s", "--csv", "figures", "--only-summary"), tmp_path)
        for worker in workers:
            worker.wait(30)
    assert done.returncode == 0, done.stderr
    parts = [read_samples(tmp_path / "load" / f"part-{part}-of-2" / layout.SAMPLES) for part in range(2)]
    together = pd.concat(parts).sort_values("number")
    np.testing.assert_array_equal(together["intended_s"], scheduled(tmp_path / "load" / "part-0-of-2"))
    assert int(aggregated(tmp_path / "figures_stats.csv")["Request Count"]) == len(together)


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--host", "http://192.0.2.1"), "not this machine"), (("--text-column", "words"), "no column 'words'")],
)
def test_what_cannot_be_sent_is_said_and_ends_locust(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(command("http://127.0.0.1:9", tmp_path, "--headless", "--only-summary", *options), tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def _until(holds: object, within_s: float = 40.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
