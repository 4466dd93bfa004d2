"""A server whose queue can be simulated: one request after the other, each as long as it was drawn beforehand.

    python queue_server.py PORT SEED MEAN_MS FREEZE_AT FREEZE_S

The n-th request takes the n-th draw (exponential, of the mean), and the FREEZE_AT-th a pause beside. It waits by
spinning, as sleeping would be late by an unknown amount.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time

import numpy as np

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{"predictions": [{"label": "A"}]}\n'
DRAWS = 1_000_000


def service_s(seed: int, mean_ms: float) -> np.ndarray:
    """The time that the 1st, 2nd, ... request takes."""
    return np.random.default_rng(seed).exponential(mean_ms / 1000, size=DRAWS)


def serve(port: int, seed: int, mean_ms: float, freeze_at: int, freeze_s: float) -> None:
    times = service_s(seed, mean_ms).tolist()
    number = 0
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if not _request(sock):
                    selector.unregister(sock)
                    sock.close()
                    continue
                number += 1
                _spin(times[number - 1] + (freeze_s if number == freeze_at else 0.0))
                sock.sendall(ANSWER)


def _request(sock: socket.socket) -> bytes:
    """A request, which comes in one piece or in two."""
    try:
        data = sock.recv(65536)
        while data and b"}" not in data:
            data += sock.recv(65536)
    except OSError:
        return b""
    return data


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    if seconds > 0.1:
        time.sleep(seconds - 0.05)
    while time.perf_counter() < end:
        pass


if __name__ == "__main__":
    port, seed, mean_ms, freeze_at, freeze_s = sys.argv[1:]
    serve(int(port), int(seed), float(mean_ms), int(freeze_at), float(freeze_s))
