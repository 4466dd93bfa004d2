"""Accepts connections and deals them out to workers, to the one with the fewest first.

Sockets that share the port (SO_REUSEPORT) would spare this step, but the kernel deals by a hash: of eight pooled
connections two workers may well get six and two, for as long as the pool lives; and what lies in the queue of a worker
that dies or stops is reset. Here it stays in the one queue until somebody takes it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

from serving.worker_process import WorkerProcess

# How many connections are accepted before others get their turn in the loop.
_MOST_AT_ONCE = 64
# How long to leave connections in the system's queue where no worker takes one, or no descriptor is left.
_PAUSE_S = 0.02


class Dealer:
    """Accepts on a listening socket.

    Args:
        listener: non-blocking.
        workers: those that may get connections now.
        open_connections: how many a worker has now.
    """

    def __init__(
        self,
        listener: socket.socket,
        workers: Callable[[], Iterable[WorkerProcess]],
        open_connections: Callable[[WorkerProcess], int],
    ) -> None:
        self._listener = listener
        self._workers = workers
        self._open_connections = open_connections
        self._turn = 0
        self._resumption: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to accept."""
        self._resumption = None
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Accept no more."""
        asyncio.get_running_loop().remove_reader(self._listener)
        if self._resumption is not None:
            self._resumption.cancel()

    def _accept(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            workers = self._by_load()
            if not workers:
                self._pause()
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptors left
                self._pause()
                return
            with connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not any(worker.hand(connection) for worker in workers):
                    self._pause()
                    return

    def _by_load(self) -> list[WorkerProcess]:
        """The workers, that with the fewest connections first; of equals, each has its turn."""
        workers = list(self._workers())
        if not workers:
            return []
        self._turn = (self._turn + 1) % len(workers)
        return sorted(workers[self._turn :] + workers[: self._turn], key=self._open_connections)

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._resumption = loop.call_later(_PAUSE_S, self.start)
