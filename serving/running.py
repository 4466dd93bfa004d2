"""The life of a server process: load, warm up, say that it is ready, serve, drain."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import orjson
import uvicorn

from serving.app import create_app
from serving.classifier import Classifier
from serving.engine import Engine
from serving.listen import listen
from serving.settings import ServerSettings

# After the last accepted answer the server goes on refusing for this long: a client whose request is on its
# way over a kept connection then gets a 503 and a closing header, and not a reset.
_LINGER_S = 0.5
_POLL_S = 0.05


def run_until_stopped(
    listener: socket.socket, folder: Path, settings: ServerSettings, *, pinned_core: int | None
) -> bool:
    """Serve on a bound socket until a stop signal; true if every accepted request was answered.

    Raises:
        ModelFolderError, ProviderError, ListenError: the server could not start.
    """
    engine = Engine.load(folder, provider=settings.provider, threads=settings.threads)
    app = create_app(engine, settings)
    listen(listener)
    host, port = listener.getsockname()[:2]
    ready = {
        "event": "ready",
        "host": host,
        "port": port,
        "pid": os.getpid(),
        "provider": engine.provider.value,
        "model": engine.name,
        "version": engine.version,
        "pinned_core": pinned_core,
    }
    config = uvicorn.Config(
        app,
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        http="httptools" if importlib.util.find_spec("httptools") else "h11",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
    )
    server = DrainingServer(config, app.state.classifier, ready, drain_s=settings.drain_s)
    server.run(sockets=[listener])
    return server.drained


class DrainingServer(uvicorn.Server):
    """uvicorn, but a stop first answers what was accepted while new requests are refused in words."""

    def __init__(
        self,
        config: uvicorn.Config,
        classifier: Classifier,
        ready: dict[str, object],
        *,
        drain_s: float,
    ) -> None:
        super().__init__(config)
        self._classifier = classifier
        self._ready = ready
        self._drain_s = drain_s
        self.drained = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then write the ready line to stdout."""
        await super().startup(sockets)
        sys.stdout.write(orjson.dumps(self._ready).decode() + "\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain for at most `drain_s` seconds, then close the connections."""
        draining = asyncio.ensure_future(self._classifier.drain())
        deadline = asyncio.get_running_loop().time() + self._drain_s
        while not draining.done() and not self.force_exit and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait([draining], timeout=_POLL_S)
        self.drained = draining.done()
        if self.drained:
            await asyncio.sleep(_LINGER_S)
        else:
            draining.cancel()
            self.force_exit = True  # the lifespan would wait for the same requests again
            # Each request that is cut off would log a traceback of its own; the process's last line says it all.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        left_s = deadline - asyncio.get_running_loop().time()
        self.config.timeout_graceful_shutdown = max(1, int(left_s))  # for what is still being uploaded
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle SIGTERM and SIGINT, and do not raise them again afterwards: a drained stop is a success."""
        handled = (signal.SIGTERM, signal.SIGINT)
        previous = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
