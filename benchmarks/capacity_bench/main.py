"""The run of benchmarks/capacity.py: three searches, then the referee."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.claims import ROOT, at_least, at_most, claim, print_table, void, write_history
from benchmarks.serving_bench.model import corpus, make_texts, train_tokenizer, write_model_folder
from benchmarks.serving_bench.processes import environment, two_cores
from benchmarks.serving_bench.servers import Server, our_server
from evalkit.stats.interval import Interval
from loadtest.capacity.measuring import measuring
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import CapacityResult
from loadtest.capacity.search import search
from loadtest.capacity.trial import Trial
from loadtest.plan import OpenLoopPlan

REFEREE = "mlcommons-loadgen"
TEXTS = 64
LAYERS, WIDTH = 4, 256
BELOW, ABOVE = 0.8, 1.2
SEARCHES = 3
MOST_APART = 1.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The objective, minutes for each search, and seconds of each of the referee's runs."""

    limit_ms: float = 25.0
    search_minutes: float = 1.9
    referee_s: float = 30.0
    start_rps: float = 100.0


def run_searches(server: Server, texts: Sequence[str], plan: Plan, core: int, folder: Path) -> list[CapacityResult]:
    """Three searches with seeds of their own."""
    open_loop = OpenLoopPlan(
        url=f"http://127.0.0.1:{server.port}", rate_rps=plan.start_rps, duration_s=2, limit_ms=plan.limit_ms
    )
    found = []
    for number in range(SEARCHES):
        asked = SearchPlan(
            limit_ms=plan.limit_ms,
            start_rps=plan.start_rps,
            max_minutes=plan.search_minutes,
            precision=0.03,
            seed=1000 * number,
        )
        measure = measuring(open_loop, texts, None, folder / str(number), core=core, server_pid=server.pid)
        found.append(search(asked, measure, _say))
        print(f"search {number + 1}: {found[-1].rate}, {found[-1].explanation}", flush=True)
    return found


def referee(server: Server, rate_rps: float, plan: Plan, core: int, folder: Path) -> dict[str, Any]:
    """What LoadGen says at a rate, from a process on the generator's core."""
    folder.mkdir()
    bodies = folder / "bodies"
    bodies.write_text("\n".join(server.bodies) + "\n", encoding="utf-8")
    command = [
        "taskset", "-c", str(core), sys.executable, "-m", "benchmarks.capacity_bench.loadgen",
        f"http://127.0.0.1:{server.port}", str(bodies), str(rate_rps), str(plan.limit_ms), str(plan.referee_s),
        str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment())
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"LoadGen at {rate_rps:.1f} requests a second: {said}", flush=True)
    return said


def claims_of(
    found: Sequence[CapacityResult], verdicts: dict[float, dict[str, Any]], limit_ms: float, peer: str
) -> list[dict[str, Any]]:
    """The searches against each other, and the referee's verdicts where there is a rate to ask for."""
    name = f"{SEARCHES} searches for p99 ≤ {limit_ms:g} ms: highest ÷ lowest capacity"
    missing = [each for each in found if not isinstance(each.rate, Interval)]
    if missing:
        return [void(name, missing[0].explanation, at_most(MOST_APART))]
    rates = [each.rate.point for each in found if isinstance(each.rate, Interval)]
    widths = [each.rate.upper / each.rate.lower for each in found if isinstance(each.rate, Interval)]
    return [
        claim("capacity, each a search", rates, "rps"),
        claim("upper ÷ lower bound of its 90 % interval, each a search", widths, "×"),
        claim("time of a search", [each.seconds for each in found], "s"),
        claim("trials of a search", [float(len(each.trials)) for each in found], ""),
        claim(name, max(rates) / min(rates), "×", at_most(MOST_APART)),
        *_agreement(verdicts, peer),
    ]


def _agreement(verdicts: dict[float, dict[str, Any]], peer: str) -> list[dict[str, Any]]:
    claims = []
    for part, expected in ((BELOW, True), (ABOVE, False)):
        said = verdicts[part]
        if said["p99_ms"] is not None:
            claims.append(claim(f"LoadGen's p99 at {part:g} × the capacity", said["p99_ms"], "ms", peer=peer))
        agrees = float(said["valid"] is expected)
        claims.append(
            claim(
                f"LoadGen says {'VALID' if expected else 'INVALID'} at {part:g} × the capacity (1: yes)", agrees, "",
                at_least(1), peer=peer,
            )
        )  # fmt: skip
    return claims


def main(description: str) -> None:
    """The command line; see benchmarks/capacity.py."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit-ms", type=float, default=Plan().limit_ms, help="the objective: p99 at most")
    parser.add_argument("--quick", action="store_true", help="short searches and short runs of the referee")
    parser.add_argument("--dry", action="store_true", help="write no history")
    given = parser.parse_args()
    plan = Plan(limit_ms=given.limit_ms)
    plan = replace(plan, search_minutes=0.8, referee_s=8.0) if given.quick else plan
    versions = {REFEREE: importlib.metadata.version(REFEREE)}
    server_core, own_core = two_cores()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        words = corpus()
        tokenizer = train_tokenizer(words)
        texts = make_texts(tokenizer, words, TEXTS, seed=0)
        model = write_model_folder(folder / "model", tokenizer, layers=LAYERS, width=WIDTH)
        os.sched_setaffinity(0, {own_core})
        with our_server(model, texts, server_core, folder / "server.log") as server:
            found = run_searches(server, texts, plan, own_core, folder / "searches")
            verdicts = _ask_the_referee(server, found, plan, own_core, folder)
    claims = claims_of(found, verdicts, plan.limit_ms, f"{REFEREE} {versions[REFEREE]}")
    print_table(claims)
    if not given.dry:
        print(write_history("capacity", claims, versions))


def _ask_the_referee(
    server: Server, found: Sequence[CapacityResult], plan: Plan, core: int, folder: Path
) -> dict[float, dict[str, Any]]:
    rates = [each.rate.point for each in found if isinstance(each.rate, Interval)]
    if len(rates) < len(found):
        return {}
    median = statistics.median(rates)
    return {part: referee(server, part * median, plan, core, folder / f"referee-{part:g}") for part in (BELOW, ABOVE)}


def _say(trial: Trial) -> None:
    counted = trial.measured
    print(
        f"  {trial.asked.step:<10} {trial.rate_rps:>8.1f} requests/s, {trial.asked.seconds:>4.1f} s: {trial.side:<7} "
        f"{counted.over_limit} of {counted.requests} over {' '.join(counted.void_reasons)}",
        flush=True,
    )
