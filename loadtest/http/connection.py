"""One keep-alive HTTP/1.1 connection of a gevent loop, as lean as Python allows.

A watcher on the socket stays for the connection's life, so that no request pays for arming one, and a server
that closes an idle connection is noticed at once. The parser is llhttp (Node.js' own, by way of httptools).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import httptools
from gevent import get_hub, getcurrent

from loadtest.failures import ExchangeFailed, Failure
from loadtest.http.address import Address, NativeSocket
from loadtest.http.tls import TlsSocket
from loadtest.targets.target import Response

MAX_BODY_BYTES = 64 * 2**20
RECEIVE_BYTES = 65_536
CONTINUE_BELOW = 200  # statuses that only announce the real answer
_READ, _WRITE = 1, 2


class Connection:
    """Carries one request at a time, for the one greenlet that waits. ``on_lost`` hears of an idle one's end.

    ``read_at`` is when, by ``time.monotonic()``, the last data came. Whoever waits is given up by ``fail``.
    """

    def __init__(self, address: Address, on_lost: Callable[[Connection], None]) -> None:
        self.is_open = True
        self.read_at = self.give_up_at = 0.0
        self._hub: Any = get_hub()
        self._address = address
        self._on_lost = on_lost
        self._sock: Any = None
        self._watcher: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: Any = None
        self._failure = Failure.NONE
        self._reset()

    def open(self) -> None:
        """Connect, in the calling greenlet. Raises ExchangeFailed where that fails."""
        self._waiter = getcurrent()
        try:
            self._connect()
            if self._address.context is not None:
                self._shake_hands(TlsSocket(self._sock, self._address.context, self._address.host))
        except OSError:
            self._failure = Failure.CONNECT
            self.close()
        finally:
            self._waiter = None
        self._raise_unless_open()
        self._watcher = self._hub.loop.io(self._sock.fileno(), _READ)
        self._watcher.start(self._on_readable)

    def exchange(self, request: bytes) -> Response:
        """Send a request and wait for its whole answer. Raises ExchangeFailed where none comes."""
        self._reset()
        self._waiter = getcurrent()
        try:
            self._send(request)
            if self.is_open and not self._complete:
                self._hub.switch()
        finally:
            self._waiter = None
            if not self._complete:
                self.close()
        if not self._complete:
            raise ExchangeFailed(self._failure or Failure.CUT, self._reached)
        if self._extra or not self._reusable:
            self.close()
        return Response(self._status, self._pieces, self._times)

    def fail(self, failure: Failure) -> None:
        """Close, and let whoever waits know why."""
        if self.is_open:
            self._failure = failure
            self.close()
            if self._waiter is not None and self._waiter is not getcurrent():
                self._hub.loop.run_callback(self._wake)

    def close(self) -> None:
        self.is_open = False
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def on_message_begin(self) -> None:
        self._extra = self._complete

    def on_header(self, name: bytes, _value: bytes) -> None:
        size = len(name)
        if (size == 14 and name.lower() == b"content-length") or (size == 17 and name.lower() == b"transfer-encoding"):
            self._until_closed = False

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._times.append(self.read_at)
        self._size += len(piece)

    def on_message_complete(self) -> None:
        if self._status >= CONTINUE_BELOW:
            self._complete = True
            self._reusable = self._parser.should_keep_alive()  # only here does the parser know

    def _reset(self) -> None:
        self._pieces: list[bytes] = []
        self._times: list[float] = []
        self._size = self._status = 0
        self._until_closed = True
        self._complete = self._reached = self._extra = self._reusable = False

    def _connect(self) -> None:
        self._sock = NativeSocket(self._address.family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = self._sock.connect_ex(self._address.place)
        if error == errno.EINPROGRESS and self._waited(_WRITE):
            error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error and self.is_open:
            raise OSError(error, "connect")

    def _shake_hands(self, tls: TlsSocket) -> None:
        while self.is_open and not tls.shake_hands():
            if self._waited(_READ):
                tls.receive_for_handshake()
        if self.is_open:
            self._sock = tls

    def _send(self, request: bytes) -> None:
        try:
            sent = self._sock.send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.fail(Failure.CLOSED)
            return
        if sent < len(request) or (self._address.context is not None and not self._sock.flush()):
            self._send_rest(memoryview(request)[sent:])

    def _send_rest(self, rest: memoryview) -> None:
        """The kernel's buffer was full."""
        try:
            while not self._complete and self._waited(_WRITE):
                if rest:
                    rest = rest[self._sock.send(rest) :]
                elif self._address.context is None or self._sock.flush():
                    return
        except OSError:
            self.fail(Failure.CLOSED)
        self._extra = True  # an answer before the request was sent whole: nothing more may follow on it

    def _waited(self, events: int) -> bool:
        """Let others run until the socket is ready, or the connection has failed: whether it is still open."""
        if not self.is_open:
            return False
        watcher = self._hub.loop.io(self._sock.fileno(), events)
        watcher.start(self._wake)
        try:
            self._hub.switch()
        finally:
            watcher.stop()
            watcher.close()
        return self.is_open

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.switch()

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.read_at = monotonic()
        if self._waiter is None:  # nothing was asked: the server has closed, or talks out of turn
            self.close()
            self._on_lost(self)
        elif data:
            self._feed(data)
        else:
            self._end()

    def _feed(self, data: bytes) -> None:
        self._reached = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:
                self.fail(Failure.NOT_HTTP)
                return
            self._extra = True
        if self._complete:
            self._waiter.switch()
        elif self._size > MAX_BODY_BYTES:
            self.fail(Failure.TOO_LARGE)

    def _end(self) -> None:
        """The server has closed: the end of an answer without a stated length, and else a loss."""
        if self._status >= CONTINUE_BELOW and self._until_closed:
            self._complete = self._extra = True
            self._waiter.switch()
        else:
            self.fail(Failure.CLOSED)

    def _raise_unless_open(self) -> None:
        if not self.is_open:
            raise ExchangeFailed(self._failure or Failure.CUT, reached=False)
