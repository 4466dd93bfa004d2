"""The life of a server process: load, warm up, say that it is ready, serve, drain."""

from __future__ import annotations

import functools
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from serving.access_log import AccessLog
from serving.app import StudentApp, create_app
from serving.board import Board
from serving.draining_server import DrainingServer
from serving.engine import Engine
from serving.errors import ListenError
from serving.figures import Figures
from serving.http_protocol import ConnectionLimits, LimitedProtocol
from serving.keys import Keys
from serving.listen import bind, listen
from serving.settings import ServerSettings
from serving.surroundings import Surroundings
from serving.tracing import tracing_from


def run_until_stopped(
    listener: socket.socket, folder: Path, settings: ServerSettings, keys: Keys, *, pinned_core: int | None
) -> bool:
    """Serve on a bound socket until a stop signal; true if every accepted request was answered.

    Raises:
        ModelFolderError, ProviderError, ListenError, SettingsError: the server could not start.
    """
    if settings.grpc_port is not None:
        require_grpc(settings.host, settings.grpc_port)
    around = surroundings_of(settings, keys, Board.private(), worker=0, folder=folder)
    engine, app = loaded_app(folder, settings, around)
    listen(listener)

    def announce(more: dict[str, Any]) -> None:
        say_ready({**ready_line(listener, engine, settings), "pinned_core": pinned_core, **more})

    config = uvicorn_config(app, settings, around.figures)
    server = DrainingServer(config, app.state.classifier, settings, around, announce)
    server.run(sockets=[listener])
    return server.drained


def surroundings_of(settings: ServerSettings, keys: Keys, board: Board, *, worker: int, folder: Path) -> Surroundings:
    """What a process is given, as the settings and the environment say.

    Raises:
        SettingsError: a file cannot be opened, or an exporter of traces is not installed.
    """
    return Surroundings(
        keys=keys,
        board=board,
        worker=worker,
        folder=folder,
        access_log=None if settings.access_log is None else AccessLog.opened(settings.access_log),
        tracing=tracing_from(os.environ),
    )


def loaded_app(folder: Path, settings: ServerSettings, around: Surroundings) -> tuple[Engine, StudentApp]:
    """The model of a folder and the application around it.

    Raises:
        ModelFolderError, ProviderError: see `Engine.load`.
    """
    engine = Engine.load(folder, provider=settings.provider, threads=settings.threads)
    return engine, create_app(engine, settings, around)


def uvicorn_config(app: StudentApp, settings: ServerSettings, figures: Figures) -> uvicorn.Config:
    """How uvicorn runs the application."""
    limits = ConnectionLimits(
        connections=settings.max_connections,
        head_bytes=settings.max_head_bytes,
        read_timeout_s=settings.read_timeout_s,
    )
    return uvicorn.Config(
        app,
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        http=functools.partial(LimitedProtocol, limits=limits, figures=figures),  # type: ignore[arg-type]  # is called
        ws="none",
        lifespan="on",
        log_level="error",  # what clients do wrong is answered and counted
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def ready_line(listener: socket.socket, engine: Engine, settings: ServerSettings) -> dict[str, Any]:
    """What the ready line says of a server's address and model."""
    host, port = listener.getsockname()[:2]
    return {
        "event": "ready",
        "scheme": "http" if settings.tls_cert is None else "https",
        "host": host,
        "port": port,
        "pid": os.getpid(),
        "provider": engine.provider.value,
        "model": engine.name,
        "version": engine.version,
    }


def say_ready(line: dict[str, Any]) -> None:
    """Write the ready line."""
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


def require_grpc(host: str, port: int) -> None:
    """What would keep the gRPC calls from being answered, said before the model is loaded.

    Raises:
        ListenError: a library is missing, or the port is in use.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what fails is raised, and need not be on stderr too
    try:
        import serving.grpc_server  # noqa: F401
    except ImportError as error:
        raise ListenError(
            f"--grpc-port needs grpcio and protobuf ({error}); install evalkit-gate[grpc], or leave the option out"
        ) from error
    bind(host, port, "--grpc-port").close()
