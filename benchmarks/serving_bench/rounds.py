"""All servers in turns: raw ONNX Runtime, each peer, then ours at the same rates; and what the rounds claim."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.claims import at_least, at_most, claim, void
from benchmarks.serving_bench.closed_loop import ClosedLoop, closed_loop
from benchmarks.serving_bench.open_loop import drive, void_reason
from benchmarks.serving_bench.plan import Bench, Plan
from benchmarks.serving_bench.processes import busy_percent, run_json
from benchmarks.serving_bench.servers import MAX_BATCH_ROWS, PEERS, Server

CLIENTS = 16
SHARE_OF_MAXIMUM = 0.7
COMPARED = "PyTriton"  # whose tail the target is about
MOST_BUSY_PERCENT = 10.0
_LISTEN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """One server under one client, and under many."""

    one: ClosedLoop
    many: ClosedLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The p99 of one server under Poisson arrivals of a rate; ``void`` says why it is no figure."""

    p99_ms: float
    void: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRound:
    """A peer alone, and both tails at 70 % of what the peer managed in this round."""

    closed: Closed
    rate_rps: float
    theirs: Tail
    ours: Tail

    @property
    def void(self) -> str | None:
        return self.theirs.void or self.ours.void


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One turn of everything; ``busy_percent`` is what others took of a core just before it."""

    busy_percent: float
    raw_p50_ms: float
    raw_rows_per_s: float
    ours: Closed
    int8: Closed
    peers: dict[str, PeerRound]


def play(bench: Bench, plan: Plan, number: int) -> Round:
    """The peers begin in another order each round; ours comes last, since it needs their rates."""
    busy = busy_percent((bench.core, bench.own_core), _LISTEN_S)
    texts = bench.folder / "texts.json"
    texts.write_text(json.dumps(bench.texts))
    raw = run_json(
        bench.core,
        [sys.executable, "-m", "benchmarks.serving_bench.raw", str(bench.fp32), str(texts), str(plan.raw_s)],
    )
    turn = number % max(1, len(plan.peers))
    theirs: dict[str, tuple[Closed, float, Tail]] = {}
    for name in plan.peers[turn:] + plan.peers[:turn]:
        with bench.peer(name) as server:
            closed = _closed(server, plan)
            rate = SHARE_OF_MAXIMUM * closed.many.rps
            theirs[name] = (closed, rate, _tail(server, rate, plan, number))
    with bench.ours(bench.fp32) as server:
        ours = _closed(server, plan)
        tails = {name: _tail(server, rate, plan, number) for name, (_, rate, _) in theirs.items()}
    with bench.ours(bench.int8) as server:
        int8 = _closed(server, plan)
    peers = {
        name: PeerRound(closed=closed, rate_rps=rate, theirs=tail, ours=tails[name])
        for name, (closed, rate, tail) in theirs.items()
    }
    return Round(
        busy_percent=busy,
        raw_p50_ms=raw["p50_ms"],
        raw_rows_per_s=raw["rows_per_s"],
        ours=ours,
        int8=int8,
        peers=peers,
    )


def _closed(server: Server, plan: Plan) -> Closed:
    return Closed(
        one=closed_loop(server, 1, plan.one_client_s), many=closed_loop(server, CLIENTS, plan.clients_s)
    )  # fmt: skip


def _tail(server: Server, rate_rps: float, plan: Plan, seed: int) -> Tail:
    samples = drive(server.port, server.requests, rate_rps, plan.open_s, seed)
    p99 = samples.p99_ms()
    return Tail(p99_ms=p99, void=void_reason(samples, p99))


def say(round_: Round) -> str:
    """One line for whoever waits."""
    parts = [
        f"raw {round_.raw_p50_ms:.2f} ms, {round_.raw_rows_per_s:.0f} rows/s",
        f"ours {round_.ours.one.p50_ms:.2f} ms, {round_.ours.many.rps:.0f} rps (int8 {round_.int8.many.rps:.0f})",
    ]
    for name, peer in round_.peers.items():
        tails = f"p99 at {peer.rate_rps:.0f} rps {peer.theirs.p99_ms:.1f} ms, ours {peer.ours.p99_ms:.1f}"
        parts.append(f"{name} {peer.closed.one.p50_ms:.2f} ms, {peer.closed.many.rps:.0f} rps, {tails}")
    return "; ".join(parts)


def claims_of(rounds: Sequence[Round], plan: Plan) -> list[dict[str, Any]]:
    """Ratios within each round, then their median: what slows a whole round slows both sides."""

    def each(value: Callable[[Round], float]) -> list[float]:
        return [value(round_) for round_ in rounds]

    full = f"raw ONNX Runtime at batch {MAX_BATCH_ROWS}"
    return [
        claim("other work on a core, just before the round", each(lambda r: r.busy_percent), "%",
              at_most(MOST_BUSY_PERCENT)),
        claim(f"{CLIENTS} clients, served ÷ {full}", each(lambda r: r.ours.many.rps / r.raw_rows_per_s), "×",
              at_least(0.70), "onnxruntime alone"),
        claim("one client's p50 ÷ raw ONNX Runtime's at batch 1", each(lambda r: r.ours.one.p50_ms / r.raw_p50_ms),
              "×", at_most(1.8), "onnxruntime alone"),
        *_throughput(rounds, plan),
        *(each_claim for name in plan.peers for each_claim in _tails(rounds, name)),
        claim(f"{CLIENTS} clients, int8 served ÷ fp32 served", each(lambda r: r.int8.many.rps / r.ours.many.rps), "×",
              at_least(1.3)),
        claim("raw ONNX Runtime, batch 1, p50", each(lambda r: r.raw_p50_ms), "ms"),
        claim(full, each(lambda r: r.raw_rows_per_s), "rows/s"),
        *_absolute("evalkit", None, [r.ours for r in rounds]),
        *_absolute("evalkit int8", None, [r.int8 for r in rounds]),
        *(line for name in plan.peers for line in _absolute(name, _versioned(name), [r.peers[name].closed
                                                                                    for r in rounds])),
    ]  # fmt: skip


def _throughput(rounds: Sequence[Round], plan: Plan) -> list[dict[str, Any]]:
    if not plan.peers:
        return []
    best = [max(r.peers.values(), key=lambda peer: peer.closed.many.rps).closed.many.rps for r in rounds]
    named = ", ".join(_versioned(name) for name in plan.peers)
    ratios = [r.ours.many.rps / rps for r, rps in zip(rounds, best, strict=True)]
    return [
        claim(f"{CLIENTS} clients, throughput ÷ the best peer's", ratios, "×", at_least(1.6), named),
        *(
            claim(
                f"{CLIENTS} clients, throughput ÷ {name}'s",
                [r.ours.many.rps / r.peers[name].closed.many.rps for r in rounds], "×", None, _versioned(name),
            )
            for name in plan.peers
        ),
    ]  # fmt: skip


def _tails(rounds: Sequence[Round], name: str) -> list[dict[str, Any]]:
    played = [r.peers[name] for r in rounds]
    target = at_most(0.5) if name == COMPARED else None
    where = f"at 70 % of {name}'s maximum"
    title = f"{where}: p99 ÷ {name}'s"
    reasons = [each.void for each in played if each.void]
    if reasons:
        return [void(title, f"{len(reasons)} of {len(played)} rounds: {reasons[0]}", target)]
    peer = _versioned(name)
    return [
        claim(title, [each.ours.p99_ms / each.theirs.p99_ms for each in played], "×", target, peer),
        claim(f"{where}: {name}'s p99", [each.theirs.p99_ms for each in played], "ms", None, peer),
        claim(f"{where}: evalkit's p99", [each.ours.p99_ms for each in played], "ms"),
        claim(f"{where}: the rate", [each.rate_rps for each in played], "rps", None, peer),
    ]


def _absolute(name: str, peer: str | None, played: Sequence[Closed]) -> list[dict[str, Any]]:
    return [
        claim(f"{name}, one client, p50", [each.one.p50_ms for each in played], "ms", None, peer),
        claim(f"{name}, one client", [each.one.rps for each in played], "rps", None, peer),
        claim(f"{name}, {CLIENTS} clients", [each.many.rps for each in played], "rps", None, peer),
    ]


def _versioned(name: str) -> str:
    return f"{name} {PEERS[name].version()}"
