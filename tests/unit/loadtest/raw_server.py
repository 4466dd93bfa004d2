"""A server that says exactly what a test wants, byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
Serve = Callable[[socket.socket, int], None]


@contextmanager
def raw_server(serve: Serve) -> Iterator[str]:
    """Its address. ``serve`` is called in a thread for each connection, with its number from 1; then it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def read_request(sock: socket.socket) -> bytes:
    """One request with Content-Length; b"" where the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.rpartition(b"Content-Length: ")[2])
    while len(body) < size:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def always(answer: bytes) -> Serve:
    """Every request on every connection gets the same."""

    def serve(sock: socket.socket, _number: int) -> None:
        while read_request(sock):
            sock.sendall(answer)

    return serve


def once(answer: bytes) -> Serve:
    """One answer a connection, which is then closed."""

    def serve(sock: socket.socket, _number: int) -> None:
        if read_request(sock):
            sock.sendall(answer)

    return serve


def _accept(listener: socket.socket, serve: Serve) -> None:
    number = 0
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        number += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(sock, serve, number), daemon=True).start()


def _serve(sock: socket.socket, serve: Serve, number: int) -> None:
    with sock, suppress(OSError):
        serve(sock, number)
