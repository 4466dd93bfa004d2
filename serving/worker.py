"""One of several worker processes: it listens nowhere, but is handed its connections by the supervisor.

Run as `python -m serving.worker`, with a pickled `Launch` on standard input.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from serving.board import Board
from serving.classifier import Classifier
from serving.control import (
    DO,
    EVENT,
    Control,
    Message,
    described_error,
    error_of,
    line_of,
    load_message,
    load_of,
    loaded_of,
)
from serving.draining_server import DrainingServer
from serving.errors import ModelFolderError, ServingError
from serving.launch import Launch
from serving.loads import Load, Loaded
from serving.pinning import pin
from serving.running import loaded_app, surroundings_of, uvicorn_config
from serving.server import EXIT_NOT_DRAINED, EXIT_OK, EXIT_USAGE
from serving.settings import ServerSettings
from serving.surroundings import Surroundings
from serving.swapping import Swap


class SupervisorLink:
    """What a worker hears from its supervisor and tells it."""

    def __init__(self, control: socket.socket, connections: socket.socket) -> None:
        self.connections = connections
        self._end = control
        self._control: Control | None = None
        self._outcomes: dict[int, asyncio.Future[Message]] = {}

    async def open(self) -> None:
        """Speak from now on in the event loop."""
        self._control = await Control.over(self._end)

    async def close(self) -> None:
        """Say no more; returns once what was said is sent."""
        if self._control is not None:
            await self._control.close()

    def tell(self, message: Message) -> None:
        """Send; before `open` at once."""
        if self._control is None:
            self._end.sendall(line_of(message))
        else:
            self._control.tell(message)

    async def heard(self) -> Message | None:
        """The next order; None once the supervisor is gone. What `load` waits for goes there."""
        assert self._control is not None
        while (message := await self._control.heard()) is not None:
            if message[DO] != "outcome":
                return message
            self._outcomes.pop(message["number"]).set_result(message)
        return None

    async def load(self, load: Load) -> Loaded:
        """Ask the supervisor to load a model in every worker; a `Loader`."""
        number = max(self._outcomes, default=0) + 1
        self._outcomes[number] = asyncio.get_running_loop().create_future()
        self.tell({EVENT: "load", "number": number, **load_message(load)})
        outcome = await self._outcomes[number]
        error = error_of(outcome)
        if error is not None:
            raise error
        return loaded_of(outcome)


class WorkerServer(DrainingServer):
    """A server that is handed its connections."""

    handled_signals = (signal.SIGTERM,)

    def __init__(
        self,
        config: uvicorn.Config,
        classifier: Classifier,
        settings: ServerSettings,
        surroundings: Surroundings,
        announce: Callable[[Message], None],
        *,
        link: SupervisorLink,
        swap: Swap,
    ) -> None:
        super().__init__(config, classifier, settings, surroundings, announce)
        self._link = link
        self._swap = swap
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - it has none
        """Start, and take connections."""
        await self._link.open()
        await super().startup([])
        self._link.connections.setblocking(False)
        asyncio.get_running_loop().add_reader(self._link.connections, self._take_connections)
        self._keep(self._obey())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; the supervisor sends its connections elsewhere, if there is an elsewhere."""
        self._link.tell({EVENT: "draining"})
        await super().shutdown(sockets)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()

    def stop_accepting(self) -> None:
        """Take no more connections."""
        asyncio.get_running_loop().remove_reader(self._link.connections)
        self._link.tell({EVENT: "closed"})

    async def _obey(self) -> None:
        while (order := await self._link.heard()) is not None:
            match order[DO]:
                case "stop":
                    self.should_exit = True
                case "prepare":
                    self._keep(self._answer(self._prepared(load_of(order))))
                case "commit":
                    self._keep(self._answer(self._committed()))
                case "abandon":
                    self._swap.abandon()
        self.should_exit = True  # without a supervisor nobody sends connections any more

    async def _prepared(self, load: Load) -> Message:
        engine = await self._swap.prepare(load)
        return {"name": engine.name, "version": engine.version}

    async def _committed(self) -> Message:
        await self._swap.commit()
        return {}

    async def _answer(self, step: Awaitable[Message]) -> None:
        try:
            reply = await step
        except Exception as error:  # noqa: BLE001 - the supervisor waits for an answer
            if not isinstance(error, ServingError):
                sys.excepthook(type(error), error, error.__traceback__)
            reply = described_error(error)
        self._link.tell({EVENT: "reply", **reply})

    def _take_connections(self) -> None:
        while True:
            try:
                mark, descriptors, _, _ = socket.recv_fds(self._link.connections, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                mark, descriptors = b"", []
            if not mark:
                asyncio.get_running_loop().remove_reader(self._link.connections)
                return
            for descriptor in descriptors:
                self._keep(self._connect(socket.socket(fileno=descriptor)))

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)
        except (OSError, EOFError):  # the client left, or the two agreed on no encryption
            connection.close()
            self._figures.disconnected()

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _keep(self, work: Any) -> None:
        """Run a coroutine, and hold on to it until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def main() -> int:
    """Serve as the `Launch` on standard input says; returns the exit status, as `serving.server.serve` does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor says when to stop
    launch: Launch = pickle.load(sys.stdin.buffer)  # from the process that started this one
    with socket.socket(fileno=launch.control) as control, socket.socket(fileno=launch.connections) as connections:
        link = SupervisorLink(control, connections)
        try:
            drained = _run(launch, link)
        except ServingError as error:
            link.tell({EVENT: "failed", "text": " ".join(str(error).split())})
            return EXIT_USAGE
    if not drained:
        os._exit(EXIT_NOT_DRAINED)  # a batch still computes: waiting for its thread could take for ever
    return EXIT_OK


def _run(launch: Launch, link: SupervisorLink) -> bool:
    pin(launch.core)
    settings = launch.settings
    board = Board.attached(launch.board, settings.workers)
    around = surroundings_of(settings, launch.keys, board, worker=launch.index, folder=launch.folder)
    around.loader = link.load
    engine, app = loaded_app(launch.folder, settings, around)
    if launch.version not in (None, engine.version):
        raise ModelFolderError(
            f"{launch.folder} holds version {engine.version} now, and the other workers answer with {launch.version}; "
            "load it into all of them, or put the former files back"
        )

    def announce(more: Message) -> None:
        link.tell(
            {
                EVENT: "ready",
                "provider": engine.provider.value,
                "model": engine.name,
                "version": engine.version,
                **more,
            }
        )

    server = WorkerServer(
        uvicorn_config(app, settings, around.figures),
        app.state.classifier,
        settings,
        around,
        announce,
        link=link,
        swap=app.state.swap,
    )
    server.run()
    return server.drained


if __name__ == "__main__":
    sys.exit(main())
