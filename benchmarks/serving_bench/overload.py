"""More than the server can do: it must go on answering as much as before, in time, and refuse the rest in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from benchmarks.claims import at_least, at_most, claim, void
from benchmarks.serving_bench.closed_loop import closed_loop
from benchmarks.serving_bench.open_loop import Samples, drive, void_reason
from benchmarks.serving_bench.plan import WARM_CLIENTS, Bench, Plan
from benchmarks.serving_bench.servers import MAX_BATCH_ROWS, Server

KEPT = 0.99  # of all requests are answered within the limit, so that a refusal is a miss
OVERLOAD = 1.5
_STEPS = 6
_TRIES = 2
_MARGIN = 0.65  # of the limit is planned for; the rest is for what surrounds the model, and for the refusals
_USUAL_REQUEST_ROWS = 64


def queue_rows(rows_per_s: float, limit_ms: float) -> int:
    """Rows that may wait so that the last of them is answered within the limit.

    It waits for a batch of MAX_BATCH_ROWS that has just begun and then for those rows, at ``rows_per_s``.

    >>> queue_rows(2000, 25)
    16
    """
    return max(WARM_CLIENTS, math.floor(_MARGIN * limit_ms / 1e3 * rows_per_s) - MAX_BATCH_ROWS)


def queue_options(rows: int) -> list[str]:
    """The server's options for that limit; a request may have no more rows than may wait."""
    return ["--queue-limit-rows", str(rows), "--max-request-rows", str(min(rows, _USUAL_REQUEST_ROWS))]


def maximum_rate(keeps: Callable[[float], bool], guess: float, steps: int = _STEPS) -> float:
    """The greatest rate that ``keeps`` the objective, to about ``guess`` ÷ 2^``steps``: bracket, then bisect.

    Raises SystemExit where not even a hundredth of the guess does.

    >>> round(maximum_rate(lambda rate: rate <= 700, guess=1000, steps=12))
    700
    """
    low, high = guess / 2, guess
    while not keeps(low):
        low, high = low / 2, low
        if low < guess / 100:
            raise SystemExit(f"the objective is missed even at {low:.0f} requests a second")
    while keeps(high):
        low, high = high, high * 1.5
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def find_maximum(server: Server, guess: float, plan: Plan) -> float:
    """The greatest rate of Poisson arrivals of which KEPT are answered within the limit."""
    seeds = iter(range(1000, 2000))

    def keeps(rate_rps: float) -> bool:  # a miss is tried again: the machine, too, can stumble
        runs = (drive(server.port, server.requests, rate_rps, plan.probe_s, next(seeds)) for _ in range(_TRIES))
        return any(samples.kept_share(plan.limit_ms) >= KEPT for samples in runs)

    return maximum_rate(keeps, guess)


def overload_claims(bench: Bench, plan: Plan) -> list[dict[str, Any]]:
    """Finds the maximum, then offers it and 1.5 times as much, in turns."""
    with bench.ours(bench.fp32) as server:
        capacity = closed_loop(server, MAX_BATCH_ROWS, plan.clients_s).rps
    rows = queue_rows(capacity, plan.limit_ms)
    with bench.ours(bench.fp32, queue_options(rows)) as server:
        maximum = find_maximum(server, 1.1 * capacity, plan)
        print(f"overload: {capacity:.0f} rps closed loop, queue of {rows}, maximum {maximum:.0f} rps", flush=True)
        pairs = [
            (
                drive(server.port, server.requests, maximum, plan.overload_s, seed),
                drive(server.port, server.requests, OVERLOAD * maximum, plan.overload_s, seed),
            )
            for seed in range(plan.rounds)
        ]
    return [
        claim(f"greatest rate with 99 % answered in {plan.limit_ms:g} ms, queue limit {rows} rows", maximum, "rps"),
        *claims_of(pairs, plan.limit_ms),
    ]


def claims_of(pairs: list[tuple[Samples, Samples]], limit_ms: float) -> list[dict[str, Any]]:
    """What runs at the maximum and at OVERLOAD times as much, in pairs, say."""
    where = f"at {OVERLOAD:g} × the maximum"
    title = f"{where}: goodput ÷ at the maximum"
    reasons = [reason for pair in pairs for each in pair if (reason := void_reason(each, limit_ms))]
    if reasons:
        return [void(title, reasons[0], at_least(0.9))]
    over = [each for _, each in pairs]
    in_words = [
        100.0 * each.retry_after[each.refused].mean() if each.refused.any() else float("nan") for each in over
    ]  # fmt: skip
    if any(math.isnan(share) for share in in_words):
        return [void(title, "nothing was refused: it was no overload", at_least(0.9))]
    ratios = [each.goodput_rps(limit_ms) / usual.goodput_rps(limit_ms) for usual, each in pairs]
    return [
        claim(title, ratios, "×", at_least(0.9)),
        claim(f"{where}: p99 of the accepted", [each.p99_ms() for each in over], "ms", at_most(limit_ms)),
        claim(f"{where}: refused, of all", [100.0 * each.refused.mean() for each in over], "%"),
        claim(f"{where}: 429 and 503 with Retry-After, of the refused", in_words, "%", at_least(100)),
        claim(f"{where}: neither answered nor refused", [float(each.wrong) for each in over], "", at_most(0)),
        claim(f"{where}: goodput", [each.goodput_rps(limit_ms) for each in over], "rps"),
    ]
