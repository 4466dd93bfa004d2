"""All connections to one server: idle ones are used again, the last one first, and late ones are given up."""

from __future__ import annotations

from time import monotonic

import gevent

from loadtest.failures import ExchangeFailed, Failure
from loadtest.http.address import Address
from loadtest.http.connection import Connection
from loadtest.targets.target import Response

CHECK_LATE_S = 0.002


class Client:
    """One greenlet a request calls ``exchange``; a single one looks for those that have waited too long."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []
        self._in_flight: dict[int, Connection] = {}  # oldest first, as every request has the same time-out
        self._reaper = gevent.spawn(self._give_up_late_ones)

    def exchange(self, number: int, request: bytes, sent_at: float) -> tuple[Response, float, bool]:
        """The answer to request ``number``, when it was read, and whether it had to be sent a second time.

        A connection may be closed by the server just when it is used again. A request on which nothing came
        back for that reason is sent once more on a new connection (RFC 9110, section 9.2.2: asking for a
        prediction changes nothing). Raises ExchangeFailed where no answer comes.
        """
        retried = False
        try:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return self._exchange(connection, number, request, sent_at), connection.read_at, retried
                except ExchangeFailed as failed:
                    if failed.reached or failed.failure is not Failure.CLOSED:
                        raise
                    retried = True
                    break
            connection = Connection(self._address, self._forget)
            self._watch(connection, number, sent_at)
            connection.open()
            return self._exchange(connection, number, request, sent_at), connection.read_at, retried
        finally:
            self._in_flight.pop(number, None)

    def stop(self) -> None:
        """Give up everything in flight, and close."""
        self._reaper.kill()
        for connection in list(self._in_flight.values()):
            connection.fail(Failure.CUT)
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _exchange(self, connection: Connection, number: int, request: bytes, sent_at: float) -> Response:
        self._watch(connection, number, sent_at)
        response = connection.exchange(request)
        if connection.is_open:
            self._idle.append(connection)
        return response

    def _watch(self, connection: Connection, number: int, sent_at: float) -> None:
        connection.give_up_at = sent_at + self._timeout_s
        self._in_flight[number] = connection

    def _forget(self, connection: Connection) -> None:
        self._idle.remove(connection)

    def _give_up_late_ones(self) -> None:
        while True:
            now = monotonic()
            for connection in list(self._in_flight.values()):
                if connection.give_up_at > now:
                    break
                connection.fail(Failure.TIMEOUT)
            oldest = next(iter(self._in_flight.values()), None)
            wait_s = self._timeout_s if oldest is None else oldest.give_up_at - now
            gevent.sleep(max(CHECK_LATE_S, wait_s))
