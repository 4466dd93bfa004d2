"""What is concluded from the measurements, on measurements that are made up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.claims import at_least, at_most, claim, print_table, void
from benchmarks.serving_bench import overload, rounds
from benchmarks.serving_bench.closed_loop import ClosedLoop
from benchmarks.serving_bench.endurance import growth_percent
from benchmarks.serving_bench.model import MAX_LENGTH, TOKENS, corpus, make_texts, train_tokenizer
from benchmarks.serving_bench.open_loop import Samples
from benchmarks.serving_bench.overload import maximum_rate, queue_options, queue_rows
from benchmarks.serving_bench.plan import WARM_CLIENTS, Plan
from benchmarks.serving_bench.rounds import Closed, PeerRound, Round, Tail
from benchmarks.serving_bench.servers import PEERS, Peer
from serving.settings import ServerSettings


def closed(rps: float, p50_ms: float = 1.0) -> Closed:
    one = ClosedLoop(requests=10, rps=1e3 / p50_ms, p50_ms=p50_ms, p99_ms=p50_ms)
    return Closed(one=one, many=ClosedLoop(requests=10, rps=rps, p50_ms=1.0, p99_ms=2.0))


def one_round(ours_rps: float, tail: float, void_: str | None = None) -> Round:
    peers = {
        name: PeerRound(
            closed=closed(rps),
            rate_rps=0.7 * rps,
            theirs=Tail(p99_ms=20.0, void=None),
            ours=Tail(p99_ms=tail, void=void_),
        )
        for name, rps in (
            ("PyTriton", 1000.0),
            ("LitServe", 800.0),
            ("MLServer", 900.0),
            ("MLServer without batching", 700.0),
        )
    }
    return Round(
        busy_percent=1.0, raw_p50_ms=0.5, raw_rows_per_s=2500.0, ours=closed(ours_rps, 0.8), int8=closed(3000.0),
        peers=peers,
    )  # fmt: skip


def by_name(claims: list[dict[str, object]], start: str) -> dict[str, object]:
    (found,) = (each for each in claims if str(each["claim"]).startswith(start))
    return found


def test_the_ratios_are_taken_within_rounds_and_their_median_meets_the_target() -> None:
    claims = rounds.claims_of([one_round(rps, 8.0) for rps in (1500.0, 2000.0, 2100.0)], Plan())

    served = by_name(claims, "16 clients, served ÷ raw")
    assert (served["value"], served["rounds"], served["holds"]) == (0.8, [0.6, 0.8, 0.84], True)
    best = by_name(claims, "16 clients, throughput ÷ the best peer's")
    assert (best["value"], best["holds"]) == (2.0, True)
    assert by_name(claims, "one client's p50")["value"] == 1.6
    assert by_name(claims, "at 70 % of PyTriton's maximum: p99 ÷")["value"] == 0.4
    assert by_name(claims, "16 clients, int8 served")["value"] == 1.5


def test_a_missed_target_is_a_miss() -> None:
    claims = rounds.claims_of([one_round(1500.0, 15.0)], Plan())

    for start in (
        "16 clients, served ÷ raw",
        "16 clients, throughput ÷ the best",
        "at 70 % of PyTriton's maximum: p99 ÷",
    ):
        assert by_name(claims, start)["holds"] is False


def test_one_void_round_voids_the_claim() -> None:
    claims = rounds.claims_of([one_round(2000.0, 8.0), one_round(2000.0, 8.0, "the generator sent late")], Plan())

    found = by_name(claims, "at 70 % of PyTriton's maximum: p99 ÷")
    assert (found["value"], found["holds"], found["void"]) == (None, False, "1 of 2 rounds: the generator sent late")


def test_without_peers_nothing_is_claimed_about_them() -> None:
    alone = one_round(2000.0, 8.0)
    claims = rounds.claims_of(
        [Round(busy_percent=1.0, raw_p50_ms=0.5, raw_rows_per_s=2500.0, ours=alone.ours, int8=alone.int8, peers={})],
        Plan(peers=()),
    )

    assert not [each for each in claims if any(name in str(each["claim"]) for name in PEERS)]


def test_nan_keeps_no_target() -> None:
    assert claim("x", float("nan"), "", at_least(0))["holds"] is False
    assert claim("x", float("nan"), "", at_most(0))["holds"] is False


def test_the_table_prints_misses_and_voids_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([claim("slow", [1.0, 3.0, 2.0], "×", at_least(4)), void("spoilt", "late"), claim("plain", 5, "ms")])

    slow, spoilt, plain = capsys.readouterr().out.splitlines()
    assert "MISSED" in slow
    assert "1 to 3" in slow
    assert spoilt.endswith("VOID: late")
    assert not plain.strip().endswith(("holds", "MISSED"))


@pytest.mark.parametrize("truth", [37.0, 640.0, 1000.0, 3000.0])
def test_the_search_finds_the_greatest_rate_from_above_and_below(truth: float) -> None:
    found = maximum_rate(lambda rate: rate <= truth, guess=1000, steps=8)

    assert 0.98 * truth <= found <= truth


def test_the_search_gives_up_where_nothing_is_good_enough() -> None:
    with pytest.raises(SystemExit, match="missed even at"):
        maximum_rate(lambda _: False, guess=1000)


@pytest.mark.parametrize("rows", [16, 40, 500])
def test_the_queue_options_are_ones_that_the_server_takes(rows: int) -> None:
    names = queue_options(rows)[::2]
    values = [int(value) for value in queue_options(rows)[1::2]]
    fields = {name.removeprefix("--").replace("-", "_"): value for name, value in zip(names, values, strict=True)}

    assert ServerSettings(**fields).queue_limit_rows == rows


def test_the_queue_is_short_enough_for_the_limit_and_holds_the_clients_that_warm_it() -> None:
    assert (queue_rows(2000, 25) + 16) / 2000 <= 0.025
    assert queue_rows(100, 25) == WARM_CLIENTS


def overloaded(refused: int, retry_after: bool = True, wrong: int = 0) -> Samples:
    status = [200] * 100 + [503] * refused + [0] * wrong
    return Samples(
        status=np.array(status),
        latency_ms=np.where(np.array(status) == 200, 10.0, 1.0),
        send_lag_ms=np.zeros(len(status)),
        retry_after=np.array(status) == (503 if retry_after else -1),
        duration_s=1.0,
    )


def test_an_overload_that_refuses_in_words_and_goes_on_holds() -> None:
    claims = overload.claims_of([(overloaded(0), overloaded(50))], 25)

    assert all(each["holds"] for each in claims)
    assert by_name(claims, "at 1.5 × the maximum: refused")["value"] == 33.33


def test_a_refusal_without_retry_after_is_a_miss() -> None:
    claims = overload.claims_of([(overloaded(0), overloaded(50, retry_after=False))], 25)

    assert by_name(claims, "at 1.5 × the maximum: 429")["holds"] is False


def test_an_overload_that_refuses_nothing_is_void() -> None:
    (only,) = overload.claims_of([(overloaded(0), overloaded(0))], 25)

    assert "no overload" in only["void"]


def test_growth_leaves_out_the_first_value_and_knows_a_fall() -> None:
    assert growth_percent([10, 100, 100, 100]) == 0
    assert growth_percent([10, 100, 110, 120]) == 20
    assert growth_percent([10, 100, 95, 90]) == -10


def test_texts_have_about_32_tokens_and_are_the_seeds() -> None:
    words = corpus()
    tokenizer = train_tokenizer(words)
    texts = make_texts(tokenizer, words, 64, seed=0)

    lengths = [len(tokenizer.encode(text).ids) for text in texts]
    assert texts == make_texts(tokenizer, words, 64, seed=0)
    assert len(set(texts)) == 64
    assert 31 <= np.mean(lengths) <= 34
    assert min(lengths) >= TOKENS[0]
    assert max(lengths) < MAX_LENGTH


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
def test_every_peer_is_pinned_and_has_a_server(peer: Peer) -> None:
    assert peer.version()[0].isdigit()
    assert peer.script.is_file()
    assert all("==" in line for line in peer.requirements.read_text().splitlines() if not line.startswith("#"))


def test_what_a_peer_is_sent_and_answers_is_understood() -> None:
    for name in ("PyTriton", "MLServer"):
        assert json.loads(json.dumps(PEERS[name].body("a")))["inputs"][0]["data"] == ["a"]
        assert PEERS[name].probabilities({"outputs": [{"data": [0.25, 0.75]}]}) == [0.25, 0.75]
    assert PEERS["LitServe"].probabilities({"probabilities": [1.0]}) == [1.0]
