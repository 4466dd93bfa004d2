"""uvicorn's server, but a stop first answers what was accepted while new requests are refused in words."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import uvicorn

from serving.classifier import Classifier
from serving.errors import ListenError
from serving.settings import ServerSettings
from serving.surroundings import Surroundings

if TYPE_CHECKING:
    from serving.grpc_server import GrpcServer

# After the last accepted answer the server goes on refusing for this long: a client whose request is on its
# way over a kept connection then gets a 503 and a closing header, and not a reset.
_LINGER_S = 0.5
_POLL_S = 0.05
# uvicorn's tick is a tenth of a second.
_TICKS_PER_CLOCK_CHECK = 10


class DrainingServer(uvicorn.Server):
    """A server around one application.

    Args:
        config: uvicorn's.
        classifier: what the application answers with.
        settings: see `ServerSettings`.
        surroundings: the figures are told of connections and of what waits.
        announce: called with what was added to the ready line, once the server answers.
    """

    handled_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)

    def __init__(
        self,
        config: uvicorn.Config,
        classifier: Classifier,
        settings: ServerSettings,
        surroundings: Surroundings,
        announce: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(config)
        self._classifier = classifier
        self._settings = settings
        self._figures = surroundings.figures
        self._keys = surroundings.keys
        self._announce = announce
        self._grpc: GrpcServer | None = None
        self.drained = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce it."""
        await super().startup(sockets)
        ready: dict[str, Any] = {}
        if self._settings.grpc_port is not None:
            from serving.grpc_server import start_grpc  # grpcio is an extra

            try:
                self._grpc = await start_grpc(self._classifier, self._settings, self._keys)
            except ListenError:  # somebody took the port while the model was loaded
                await super().shutdown(sockets)
                raise
            ready["grpc_port"] = self._grpc.port
        self._figures.alive()
        self._announce(ready)

    async def on_tick(self, counter: int) -> bool:
        """Note what is true now, and close the connections whose clients had their time."""
        self._figures.waiting(self._classifier.batcher.waiting_rows)
        self._figures.connected(len(self.server_state.connections))
        if counter % _TICKS_PER_CLOCK_CHECK == 0:
            self._check_clocks()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain for at most `drain_s` seconds, then close the connections."""
        draining = asyncio.ensure_future(self._classifier.drain())
        deadline = asyncio.get_running_loop().time() + self._settings.drain_s
        while not draining.done() and not self.force_exit and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait([draining], timeout=_POLL_S)
            self._check_clocks()
        self.drained = draining.done()
        if self.drained:
            await asyncio.sleep(_LINGER_S)
        else:
            draining.cancel()
            self.force_exit = True  # the lifespan would wait for the same requests again
            # Each request that is cut off would log a traceback of its own; the process's last line says it all.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        left_s = deadline - asyncio.get_running_loop().time()
        if self._grpc is not None:
            await self._grpc.stop(grace_s=max(0.0, left_s))
        self.stop_accepting()
        self.config.timeout_graceful_shutdown = max(1, int(left_s))  # for what is still being uploaded
        await super().shutdown(sockets)

    def stop_accepting(self) -> None:
        """Called once nothing new is wanted; uvicorn closes the sockets that it listens on itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle the signals, and do not raise them again afterwards: a drained stop is a success."""
        previous = {number: signal.signal(number, self.handle_exit) for number in self.handled_signals}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _check_clocks(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            connection.check_clock(now)  # type: ignore[union-attr]  # they all are of LimitedProtocol
