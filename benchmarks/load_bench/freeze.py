"""Ground truth: a queue that is simulated beforehand, and a server that pauses for a second in the middle."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import ROOT, at_most, claim
from benchmarks.load_bench.fixed_server import BODY, TEXT
from benchmarks.load_bench.queue_server import service_s
from benchmarks.serving_bench.processes import free_port, pinned, wait_until
from loadtest.plan import OpenLoopPlan
from loadtest.run import run_plan
from loadtest.samples import read_samples
from loadtest.schedule import intended_times
from loadtest.summary import summarise

RATE_RPS, MEAN_MS, FREEZE_S = 120.0, 2.0, 1.0
USERS = 10
SERVER = ROOT / "benchmarks" / "load_bench" / "queue_server.py"
STOCK = ROOT / "benchmarks" / "load_bench" / "stock_freeze.py"


def freeze_claims(folder: Path, server_core: int, core: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Each round has another schedule and other service times."""
    off, own, simulated, stock = [], [], [], []
    for number in range(rounds):
        plan = OpenLoopPlan(
            url="http://127.0.0.1:1", rate_rps=RATE_RPS, duration_s=seconds, seed=number, timeout_s=30.0
        )
        freeze_at = len(intended_times(plan)) // 2
        truth_ms = simulated_latency_ms(intended_times(plan), service_s(number, MEAN_MS), freeze_at)
        simulated.append(float(np.quantile(truth_ms, 0.99, method="inverted_cdf")))
        own.append(own_p99_ms(plan, folder, server_core, core, number, freeze_at))
        stock.append(stock_p99_ms(folder, server_core, core, number, freeze_at, seconds))
        off.append(abs(own[-1] / simulated[-1] - 1) * 100)
        print(f"round {number + 1}: simulated {simulated[-1]:.1f} ms, measured {own[-1]:.1f} ms, Locust {stock[-1]}")
    return [
        claim("freeze of 1 s: p99 of the simulated queue", simulated, "ms"),
        claim("freeze of 1 s: p99 measured from the intended send", own, "ms"),
        claim("freeze of 1 s: p99 off that of the simulated queue", off, "%", at_most(5)),
        claim(
            "freeze of 1 s: p99 that Locust's closed loop shows",
            [s["shown_p99_ms"] for s in stock],
            "ms",
            None,
            "locust",
        ),
        claim("freeze of 1 s: p99 of Locust's raw times", [s["raw_p99_ms"] for s in stock], "ms", None, "locust"),
    ]


def simulated_latency_ms(arrivals_s: np.ndarray, services_s: np.ndarray, freeze_at: int) -> np.ndarray:
    """Lindley's recursion: each starts when it has come and the one before it has gone."""
    free_s, latency_s = 0.0, np.empty(len(arrivals_s))
    for number, (arrival_s, service) in enumerate(zip(arrivals_s, services_s, strict=False), start=1):
        free_s = max(free_s, arrival_s) + service + (FREEZE_S if number == freeze_at else 0.0)
        latency_s[number - 1] = free_s - arrival_s
    return latency_s * 1000


def own_p99_ms(plan: OpenLoopPlan, folder: Path, server_core: int, core: int, seed: int, freeze_at: int) -> float:
    with queue_server(folder, server_core, seed, freeze_at) as url:
        there = dataclasses.replace(plan, url=url)
        samples = read_samples(run_plan(there, [TEXT], ["A"], folder / "freeze", core=core))
    return summarise(samples, there, 0.9).observed_p99_ms or float("nan")


def stock_p99_ms(
    folder: Path, server_core: int, core: int, seed: int, freeze_at: int, seconds: float
) -> dict[str, float]:
    settings = {"BENCH_BODY": BODY, "BENCH_RATE": str(RATE_RPS), "BENCH_USERS": str(USERS)}
    with queue_server(folder, server_core, seed, freeze_at) as url:
        command = ["taskset", "-c", str(core), sys.executable, "-m", "locust", "-f", str(STOCK), "--headless"]
        command += ["--host", url, "-u", str(USERS), "-r", str(USERS), "-t", f"{seconds:.0f}s", "--only-summary"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | settings, cwd=ROOT)
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not found:
        raise SystemExit(f"Locust printed no figures: {done.stderr[-2000:]}")
    measured: dict[str, float] = json.loads(found[0])
    return measured


@contextmanager
def queue_server(folder: Path, core: int, seed: int, freeze_at: int) -> Iterator[str]:
    """Its address, while it lives on ``core``."""
    port = free_port()
    log = folder / "queue.log"
    command = [sys.executable, str(SERVER), str(port), str(seed), str(MEAN_MS), str(freeze_at), str(FREEZE_S)]
    with pinned(core, command, folder, log) as process:
        wait_until(lambda: _listens(port), process, log)
        yield f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
