"""The benchmark's own load generator against servers that a few lines make, and its pure parts."""

from __future__ import annotations

import dataclasses
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.serving_bench.open_loop import (
    Samples,
    drive,
    parse_answer,
    poisson_times,
    quantile,
    void_reason,
)
from benchmarks.serving_bench.servers import http_request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CUT_OFF = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nok"
REQUEST = http_request("/", "{}")


@contextmanager
def answering(answer: Callable[[int], bytes]) -> Iterator[int]:
    """A server on a free port that gives ``answer`` of the request's number, and closes where the answer says so."""
    counted = iter(range(10**9))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65_536):
                said = answer(next(counted))
                self.request.sendall(said)
                if said in (REFUSED, CUT_OFF):
                    return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def samples(status: list[int], latency_ms: list[float], lag_ms: float = 0.0) -> Samples:
    return Samples(
        status=np.array(status),
        latency_ms=np.array(latency_ms),
        send_lag_ms=np.full(len(status), lag_ms),
        retry_after=np.array(status) == 503,
        duration_s=2.0,
    )


def test_the_schedule_is_the_seeds_and_has_about_the_rate() -> None:
    times = poisson_times(500, 20, np.random.default_rng(1))

    np.testing.assert_array_equal(times, poisson_times(500, 20, np.random.default_rng(1)))
    assert abs(len(times) - 10_000) < 5 * 100  # five standard deviations of a Poisson count
    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] <= times[-1] < 20


def test_quantile_is_the_nearest_rank_and_nan_of_nothing() -> None:
    assert quantile(np.array([3.0, 1.0, 2.0]), 0.99) == 3.0
    assert quantile(np.arange(1, 201), 0.99) == 198.0
    assert np.isnan(quantile(np.array([]), 0.99))


def test_an_answer_is_whole_only_with_its_last_byte() -> None:
    assert all(parse_answer(OK[:cut]) is None for cut in range(len(OK)))
    assert dataclasses.astuple(parse_answer(OK)) == (200, False, False)
    assert dataclasses.astuple(parse_answer(REFUSED)) == (503, True, True)


def test_an_answer_without_a_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="without Content-Length"):
        parse_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_every_scheduled_request_is_sent_and_answered() -> None:
    with answering(lambda _: OK) as port:
        found = drive(port, [REQUEST], rate_rps=300, duration_s=0.5, seed=3)

    assert len(found.status) == len(poisson_times(300, 0.5, np.random.default_rng(3)))
    assert found.answered.all()
    assert found.wrong == 0


def test_refusals_are_counted_apart_and_their_connections_replaced() -> None:
    with answering(lambda number: REFUSED if number % 2 else OK) as port:
        found = drive(port, [REQUEST], rate_rps=1500, duration_s=0.5, seed=4)  # more than there are connections

    assert found.wrong == 0
    assert 0.4 < found.refused.mean() < 0.6
    assert found.retry_after[found.refused].all()
    assert not found.retry_after[found.answered].any()


def test_an_answer_that_is_cut_off_is_wrong_and_neither_answered_nor_refused() -> None:
    with answering(lambda number: CUT_OFF if number == 0 else OK) as port:
        found = drive(port, [REQUEST], rate_rps=100, duration_s=0.3, seed=5)

    assert found.wrong == 1
    assert found.answered.sum() == len(found.status) - 1


def test_a_frozen_server_is_seen_by_all_that_should_have_been_answered_meanwhile() -> None:
    frozen = threading.Lock()
    started = time.perf_counter()

    def answer(number: int) -> bytes:
        with frozen:
            if number == 0:
                time.sleep(0.3)
        return OK

    with answering(answer) as port:
        found = drive(port, [REQUEST], rate_rps=400, duration_s=0.6, seed=6)

    assert time.perf_counter() - started < 5
    # arrivals in the 300 ms of the freeze wait 150 ms on average: half of all requests, not one a connection
    late = (found.latency_ms > 100).mean()
    assert 0.2 < late < 0.6


def test_a_run_with_late_sends_is_void() -> None:
    assert void_reason(samples([200] * 10, [20.0] * 10, lag_ms=1.9), 20) is None
    assert "sent late" in (void_reason(samples([200] * 10, [20.0] * 10, lag_ms=2.1), 20) or "")


def test_a_run_without_answers_is_void_and_so_is_one_with_failures() -> None:
    assert "none of 3" in (void_reason(samples([503] * 3, [1.0] * 3), 20) or "")
    assert "neither" in (void_reason(samples([200, 200, 0], [1.0, 1.0, np.inf]), 20) or "")


def test_a_refusal_and_a_late_answer_are_no_goodput() -> None:
    found = samples([200, 200, 503, 200], [10.0, 30.0, 1.0, 20.0])

    assert found.goodput_rps(25) == 1.0
    assert found.kept_share(25) == 0.5
    assert found.p99_ms() == 30.0
