"""An open-loop load generator: requests leave when a schedule says, however slow the answers are.

It owns a core and never sleeps there, so that a request leaves within microseconds of its intended time. A latency
counts from the intended time, so that no waiting is hidden, be it for a free connection.
"""

from __future__ import annotations

import collections
import gc
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

CONNECTIONS = 256
_LEAD_S = 0.5  # for the server to accept all connections before the first request
_READ_BYTES = 65_536
FAILED = 0  # the "status" of a request that got no whole answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Every request of a run: status (FAILED where none came), latency from the intended send time, both [requests].

    ``send_lag_ms`` is how late the generator came to each; a wait for a free connection is the server's doing, and is
    in the latency only. ``retry_after`` is true where the answer had that header.
    """

    status: np.ndarray
    latency_ms: np.ndarray
    send_lag_ms: np.ndarray
    retry_after: np.ndarray
    duration_s: float

    @property
    def answered(self) -> np.ndarray:
        """Which requests got a 200."""
        return np.equal(self.status, 200)

    @property
    def refused(self) -> np.ndarray:
        """Which requests were refused with 429 or 503."""
        return np.isin(self.status, (429, 503))

    @property
    def wrong(self) -> int:
        """How many requests got neither an answer nor a refusal."""
        return int((~self.answered & ~self.refused).sum())

    def p99_ms(self) -> float:
        """Of the answered; nan where nothing was."""
        return quantile(self.latency_ms[self.answered], 0.99)

    def send_lag_p99_ms(self) -> float:
        return quantile(self.send_lag_ms, 0.99)

    def goodput_rps(self, limit_ms: float) -> float:
        """Answers within the limit, a second."""
        return float((self.answered & (self.latency_ms <= limit_ms)).sum() / self.duration_s)

    def kept_share(self, limit_ms: float) -> float:
        """The share of all requests answered within the limit; a refusal is not."""
        return float((self.answered & (self.latency_ms <= limit_ms)).mean())


def quantile(values: np.ndarray, share: float) -> float:
    """The least value that ``share`` of the values do not exceed (nearest rank); nan of none.

    >>> quantile(np.arange(1, 101), 0.99)
    99.0
    """
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else float("nan")


def poisson_times(rate_rps: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Intended send times in seconds, ascending, of a Poisson process on [0, ``duration_s``)."""
    return np.sort(rng.uniform(0.0, duration_s, size=rng.poisson(rate_rps * duration_s)))


def void_reason(samples: Samples, limit_ms: float) -> str | None:
    """Why the run says nothing about the server, or None: late sends, or something that was no answer."""
    if not samples.answered.any():
        return f"none of {len(samples.status)} requests was answered"
    lag = samples.send_lag_p99_ms()
    if lag > 0.1 * limit_ms:
        return f"the generator sent late: p99 {lag:.2f} ms, more than a tenth of {limit_ms:.1f} ms"
    if samples.wrong > 0.01 * len(samples.status):
        return f"{samples.wrong} of {len(samples.status)} requests got neither an answer nor a refusal"
    return None


def drive(
    port: int, requests: Sequence[bytes], rate_rps: float, duration_s: float, seed: int, grace_s: float = 5.0
) -> Samples:
    """Sends whole HTTP ``requests``, drawn at random, to 127.0.0.1 at Poisson times of a seed.

    Answers are awaited for ``grace_s`` after the last one was due; what is then missing has FAILED.
    """
    rng = np.random.default_rng(seed)
    times = poisson_times(rate_rps, duration_s, rng)
    payloads = rng.integers(len(requests), size=len(times)).tolist()
    run = _Run(port, [requests[at] for at in payloads], times.tolist())
    with _no_garbage_collection():
        run.run(duration_s + grace_s)
    return Samples(
        status=np.array(run.status), latency_ms=1e3 * np.array(run.latency_s), send_lag_ms=1e3 * np.array(run.lag_s),
        retry_after=np.array(run.retry_after, dtype=bool), duration_s=duration_s,
    )  # fmt: skip


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Connection:
    """One kept connection and the request that is on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.request = -1
        self.received = b""


class _Run:
    def __init__(self, port: int, requests: list[bytes], times: list[float]) -> None:
        self.port, self.requests, self.times = port, requests, times
        self.status = [FAILED] * len(times)
        self.latency_s = [float("inf")] * len(times)
        self.lag_s = [float("inf")] * len(times)
        self.retry_after = [False] * len(times)
        self.selector = selectors.DefaultSelector()
        self.idle: list[_Connection] = []
        self.open = 0
        self.left = len(times)
        self.start = 0.0

    def run(self, limit_s: float) -> None:
        for _ in range(CONNECTIONS):
            self._connect()
        waiting: collections.deque[int] = collections.deque()
        due, count, times, clock = 0, len(self.times), self.times, time.perf_counter
        self.start = clock() + _LEAD_S
        while self.left and (now := clock() - self.start) < limit_s:
            while due < count and times[due] <= now:
                self.lag_s[due] = now - times[due]
                waiting.append(due)
                due += 1
            while waiting and self.idle:
                self._send(self.idle.pop(), waiting.popleft())
            for key, _ in self.selector.select(0):
                self._receive(key.data)
        for key in list(self.selector.get_map().values()):
            self._close(key.data)
        self.selector.close()

    def _connect(self) -> None:
        connection = _Connection(self.port)
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        self.idle.append(connection)

    def _close(self, connection: _Connection) -> None:
        self.selector.unregister(connection.socket)
        connection.socket.close()

    def _send(self, connection: _Connection, request: int) -> None:
        connection.request = request
        try:
            connection.socket.sendall(self.requests[request])
        except OSError:
            self._broken(connection)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._broken(connection)
            return
        connection.received += data
        answer = parse_answer(connection.received)
        if answer is None:
            return
        now = time.perf_counter() - self.start
        request = connection.request
        self.status[request], self.retry_after[request] = answer.status, answer.retry_after
        self.latency_s[request] = now - self.times[request]
        self.left -= 1
        connection.received, connection.request = b"", -1
        if answer.closes:
            self._close(connection)
            self._connect()
        else:
            self.idle.append(connection)

    def _broken(self, connection: _Connection) -> None:
        """The server closed a connection; a request on it has failed."""
        if connection.request >= 0:
            self.left -= 1
        else:
            self.idle.remove(connection)
        self._close(connection)
        self._connect()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is looked at in an HTTP answer."""

    status: int
    retry_after: bool
    closes: bool


def parse_answer(received: bytes) -> Answer | None:
    """The answer once it is whole, else None. Only answers with Content-Length are understood.

    Raises ValueError on any other.
    """
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = received[:head_end].lower() + b"\r\n"
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
    length = int(head[at + 17 : head.index(b"\r\n", at + 17)])
    if len(received) < head_end + 4 + length:
        return None
    return Answer(int(head[9:12]), b"\r\nretry-after:" in head, b"\r\nconnection: close" in head)
