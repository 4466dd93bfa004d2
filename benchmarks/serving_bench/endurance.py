"""Ten minutes at 80 % load, and a million requests: the tail and the memory must stay what they were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.claims import at_least, at_most, claim, void
from benchmarks.serving_bench.closed_loop import closed_loop
from benchmarks.serving_bench.open_loop import drive, void_reason
from benchmarks.serving_bench.overload import find_maximum
from benchmarks.serving_bench.plan import Bench, Plan
from benchmarks.serving_bench.processes import resident_mib
from benchmarks.serving_bench.rounds import CLIENTS

LOAD = 0.8
MINUTES = 10
MILLION, PIECE = 1_000_000, 100_000
MOST_GROWTH_PERCENT = 2.0


def growth_percent(values: Sequence[float]) -> float:
    """By how many percent the line through all but the first value rises (or falls) from its start to its end.

    >>> growth_percent([50, 100, 101, 102])
    2.0
    """
    kept = np.asarray(values[1:], dtype=np.float64)
    slope, start = np.polyfit(np.arange(len(kept)), kept, 1)
    return round(float(100 * slope * (len(kept) - 1) / start), 6)


def soak_claims(bench: Bench, plan: Plan, minutes: int = MINUTES, seconds: float = 60.0) -> list[dict[str, Any]]:
    """``minutes`` runs of ``seconds`` at LOAD × the greatest rate that keeps the objective."""
    memory, tails, wrong, asked, answered = [], [], 0, 0, 0
    with bench.ours(bench.fp32) as server:
        guess = closed_loop(server, CLIENTS, plan.clients_s).rps
        rate = LOAD * find_maximum(server, guess, plan)
        for minute in range(minutes):
            samples = drive(server.port, server.requests, rate, seconds, seed=minute)
            reason = void_reason(samples, plan.limit_ms)
            if reason is not None:
                return [void("ten minutes at 80 % load", f"minute {minute + 1}: {reason}", at_most(plan.limit_ms))]
            tails.append(samples.p99_ms())
            memory.append(resident_mib(server.pid))
            wrong += samples.wrong
            asked, answered = asked + len(samples.status), answered + int(samples.answered.sum())
            print(f"minute {minute + 1}: p99 {tails[-1]:.1f} ms, {memory[-1]:.1f} MiB", flush=True)
    length = f"{minutes} × {seconds:g} s at 80 % load ({rate:.0f} rps)"
    return [
        claim(f"{length}: the worst p99", max(tails), "ms", at_most(plan.limit_ms)),
        claim(f"{length}: p99, each a round", tails, "ms"),
        claim(f"{length}: answered, of all", 100.0 * answered / asked, "%", at_least(99.9)),
        claim(f"{length}: neither answered nor refused", float(wrong), "", at_most(0)),
        claim(f"{length}: resident memory, each a round", memory, "MiB"),
        claim(f"{length}: growth of memory after the first", growth_percent(memory), "%", at_most(MOST_GROWTH_PERCENT)),
    ]


def million_claims(bench: Bench, plan: Plan, requests: int = MILLION, piece: int = PIECE) -> list[dict[str, Any]]:
    """CLIENTS closed-loop clients until ``requests`` are answered, in pieces of about ``piece``."""
    memory, rates, done = [], [], 0
    with bench.ours(bench.fp32) as server:
        rates.append(closed_loop(server, CLIENTS, plan.clients_s).rps)
        while done < requests:
            found = closed_loop(server, CLIENTS, math.ceil(piece / rates[-1]))
            done += found.requests
            rates.append(found.rps)
            memory.append(resident_mib(server.pid))
            print(f"{done:,} requests: {found.rps:.0f} rps, {memory[-1]:.1f} MiB", flush=True)
    return [
        claim(f"{CLIENTS} clients: requests answered by one process", float(done), "", at_least(requests)),
        claim(f"resident memory after each {piece:,}", memory, "MiB"),
        claim(f"growth of memory after the first {piece:,}", growth_percent(memory), "%",
              at_most(MOST_GROWTH_PERCENT)),
        claim(f"throughput of each {piece:,}", rates[1:], "rps"),
    ]  # fmt: skip
