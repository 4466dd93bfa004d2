"""How many requests a second each generator sends from one core."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims import ROOT, at_least, at_most, claim
from benchmarks.load_bench.fixed_server import BODY, TEXT, fixed_server
from loadtest import layout
from loadtest.generator_info import read_generator_info
from loadtest.histogram import write_histogram
from loadtest.plan import OpenLoopPlan
from loadtest.run import run_plan
from loadtest.samples import read_samples
from loadtest.summary import summarise

CONNECTIONS = 32
OVERLOAD_RPS = 60_000.0  # more than any Python sends, so that the generator is always behind
SHARE = 0.7
POST = 'wrk.method = "POST"; wrk.body = [[{body}]]; wrk.headers["Content-Type"] = "application/json"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One run of this generator. ``cpu_us`` is CPU time a request."""

    rps: float
    cpu_us: float
    achieved: float
    p99_ms: float
    raw_p99_ms: float
    histogram_p99_ms: float
    locust_p99_ms: float


def ceiling_claims(folder: Path, server_core: int, core: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """All generators in turns, ``rounds`` times."""
    wrk, h2load, stock, own, at_70, paced = [], [], [], [], [], []
    with fixed_server(folder, server_core) as url:
        for number in range(rounds):
            wrk.append(wrk_rps(url, folder, core, seconds))
            stock.append(stock_locust(url, core, seconds))
            own.append(own_run(url, folder, core, OVERLOAD_RPS, max(1.0, seconds / 4)))
            h2load.append(h2load_rps(url, folder, core, seconds))
            rate = SHARE * own[-1].rps
            at_70.append(own_run(url, folder, core, rate, seconds))
            paced.append(h2load_rps(url, folder, core, seconds, rate) / rate)
            print(
                f"round {number + 1}: wrk {wrk[-1]:.0f}, h2load {h2load[-1]:.0f}, {stock[-1]}, {own[-1]}, {at_70[-1]}"
            )
    ratios = [each.rps / peer["rps"] for each, peer in zip(own, stock, strict=True)]
    cheaper = [peer["cpu_us"] / each.cpu_us for each, peer in zip(own, stock, strict=True)]
    return [
        claim("ceiling on one core, labels of all answers checked", [each.rps for each in own], "rps"),
        claim("ceiling of Locust's FastHttpUser", [each["rps"] for each in stock], "rps"),
        claim("ceiling of wrk", wrk, "rps"),
        claim("ceiling of h2load --h1", h2load, "rps"),
        claim("ceiling ÷ that of Locust's FastHttpUser", ratios, "×", at_least(2), "locust"),
        claim("ceiling ÷ that of wrk", [a.rps / b for a, b in zip(own, wrk, strict=True)], "×", None, "wrk"),
        claim("CPU a request", [each.cpu_us for each in own], "µs"),
        claim("CPU a request: Locust's FastHttpUser ÷ this", cheaper, "×", at_least(2), "locust"),
        claim(
            "at 70 % of the ceiling: sent in time ÷ scheduled", [each.achieved for each in at_70], "", at_least(0.99)
        ),
        claim("at 70 % of the ceiling: h2load --rps, answered ÷ asked for", paced, "", None, "h2load"),
        claim("p99 off the raw samples' own", [_off(each.p99_ms, each.raw_p99_ms) for each in at_70], "%", at_most(2)),
        claim(
            "p99 of the HDR histogram off the raw samples' own",
            [_off(each.histogram_p99_ms, each.raw_p99_ms) for each in at_70],
            "%",
            at_most(2),
        ),
        claim(
            "p99 of Locust's buckets off the raw samples' own",
            [_off(each.locust_p99_ms, each.raw_p99_ms) for each in at_70],
            "%",
            None,
            "locust",
        ),
    ]


def own_run(url: str, folder: Path, core: int, rate: float, seconds: float) -> Own:
    plan = OpenLoopPlan(url=url, rate_rps=rate, duration_s=seconds, warmup_s=0.5, timeout_s=30.0)
    path = run_plan(plan, [TEXT], ["A"], folder / "own", core=core)
    samples, info = read_samples(path), read_generator_info(path.parent / layout.GENERATOR)
    if not samples["ok"].all() or not samples["label_matches"].all():
        raise SystemExit(f"the server failed {(~samples['ok']).sum()} of {len(samples)} requests")
    measured = samples[~samples["warmup"]]
    latency_ms = measured["latency_ms"].to_numpy(dtype=np.float64)
    summary = summarise(samples, plan, 0.9)
    write_histogram(path, path.parent / layout.HISTOGRAM, plan.timeout_s)
    return Own(
        rps=float(len(samples) / (samples["done_s"].max() - samples["sent_s"].min())),
        cpu_us=info.cpu_share * info.wall_s / info.sent * 1e6,
        achieved=summary.achieved_ratio or 0.0,
        p99_ms=summary.observed_p99_ms or float("nan"),
        raw_p99_ms=float(np.quantile(latency_ms, 0.99, method="inverted_cdf")),
        histogram_p99_ms=_histogram_p99_ms(path.parent / layout.HISTOGRAM),
        locust_p99_ms=_locust_p99_ms(latency_ms),
    )


def stock_locust(url: str, core: int, seconds: float) -> dict[str, float]:
    locustfile = ROOT / "benchmarks" / "load_bench" / "stock_ceiling.py"
    command = ["taskset", "-c", str(core), sys.executable, "-m", "locust", "-f", str(locustfile), "--headless"]
    command += ["--host", url, "-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "--only-summary"]
    settings = {"BENCH_BODY": BODY, "BENCH_SECONDS": str(seconds)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | settings, cwd=ROOT)
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not found:
        raise SystemExit(f"Locust printed no figures: {done.stderr[-2000:]}")
    measured: dict[str, float] = json.loads(found[0])
    return measured


def wrk_rps(url: str, folder: Path, core: int, seconds: float) -> float:
    script = folder / "post.lua"
    script.write_text(POST.format(body=BODY))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script), f"{url}/v1/classify"]
    return _figure(core, command, r"Requests/sec:\s+([\d.]+)")


def h2load_rps(url: str, folder: Path, core: int, seconds: float, rate: float | None = None) -> float:
    """As fast as it can, or at ``rate``, with ``--rps`` of each connection."""
    body = folder / "body.json"
    body.write_text(BODY)
    command = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds:.0f}", "-d", str(body)]
    command += ["-H", "Content-Type: application/json", *([f"--rps={rate / CONNECTIONS:.3f}"] if rate else [])]
    return _figure(core, [*command, f"{url}/v1/classify"], r"finished in [\d.]+s, ([\d.]+) req/s")


def _figure(core: int, command: list[str], pattern: str) -> float:
    done = subprocess.run(["taskset", "-c", str(core), *command], capture_output=True, text=True, check=True)
    found = re.search(pattern, done.stdout)
    if found is None:
        raise SystemExit(f"{command[0]} printed no rate: {done.stdout[-2000:]}")
    return float(found[1])


def _histogram_p99_ms(path: Path) -> float:
    from hdrh.histogram import HdrHistogram

    return float(HdrHistogram.decode(path.read_bytes()).get_value_at_percentile(99)) / 1000


def _locust_p99_ms(latency_ms: np.ndarray) -> float:
    """As Locust would show it: each value rounded to its bucket."""
    rounded = [round(each) if each < 100 else round(each, -int(np.log10(each)) + 1) for each in latency_ms.tolist()]
    return float(np.quantile(rounded, 0.99, method="inverted_cdf"))


def _off(value: float, truth: float) -> float:
    return abs(value / truth - 1) * 100
