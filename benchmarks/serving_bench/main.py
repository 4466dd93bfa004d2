"""The modes of benchmarks/serving.py."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.claims import print_table, write_history
from benchmarks.serving_bench.closed_loop import wrk_version
from benchmarks.serving_bench.endurance import million_claims, soak_claims
from benchmarks.serving_bench.overload import overload_claims
from benchmarks.serving_bench.plan import Bench, Plan, build, quick
from benchmarks.serving_bench.processes import two_cores
from benchmarks.serving_bench.rounds import claims_of, play, say
from benchmarks.serving_bench.servers import PEERS, install


def comparison(bench: Bench, plan: Plan) -> list[dict[str, Any]]:
    rounds = []
    for number in range(plan.rounds):
        rounds.append(play(bench, plan, number))
        print(f"round {number + 1}: {say(rounds[-1])}", flush=True)
    return [*claims_of(rounds, plan), *overload_claims(bench, plan)]


def soak(bench: Bench, plan: Plan, short: bool) -> list[dict[str, Any]]:
    return soak_claims(bench, plan, minutes=4, seconds=2) if short else soak_claims(bench, plan)


def million(bench: Bench, plan: Plan, short: bool) -> list[dict[str, Any]]:
    return million_claims(bench, plan, requests=8000, piece=2000) if short else million_claims(bench, plan)


def main(description: str) -> None:
    """The command line; see benchmarks/serving.py."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--soak", action="store_true", help="ten minutes at 80 %% load, instead of the comparison")
    mode.add_argument("--million", action="store_true", help="a million requests, instead of the comparison")
    mode.add_argument("--overload", action="store_true", help="1.5 times the maximum, instead of the comparison")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS), help="fewer of them, or none")
    parser.add_argument("--limit-ms", type=float, default=Plan().limit_ms, help="the objective: p99 at most")
    parser.add_argument("--quick", action="store_true", help="one round of short measurements")
    parser.add_argument("--dry", action="store_true", help="write no history")
    given = parser.parse_args()

    plan = Plan(limit_ms=given.limit_ms, peers=tuple(given.peers))
    plan = quick(plan) if given.quick else plan
    alone = given.soak or given.million or given.overload
    peers = {} if alone else {PEERS[name].package: PEERS[name].version() for name in plan.peers}
    versions = {"wrk": wrk_version()} | peers
    server_core, own_core = two_cores()
    with tempfile.TemporaryDirectory() as folder:
        bench = build(Path(folder), server_core, own_core)
        os.sched_setaffinity(0, {own_core})
        if given.soak:
            name, claims = "serving-soak", soak(bench, plan, given.quick)
        elif given.million:
            name, claims = "serving-million", million(bench, plan, given.quick)
        elif given.overload:
            name, claims = "serving-overload", overload_claims(bench, plan)
        else:
            for peer in plan.peers:
                install(PEERS[peer])
            name, claims = "serving", comparison(bench, plan)
    print_table(claims)
    if not given.dry:
        print(write_history(name, claims, versions))
