"""A worker as its supervisor sees it: a process, a line to it, and a socket to hand it connections over."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import replace

from serving.control import DO, EVENT, Control, Message
from serving.errors import ServingError
from serving.launch import Launch

# What the supervisor reads when a worker is gone before it answers.
_GONE: Message = {"error": "", "text": "ended before it answered"}
_MARK = b"c"


class WorkerFailed(ServingError):
    """A worker did not become ready."""


class WorkerProcess:
    """A worker that became ready. Make it with `started`."""

    def __init__(
        self, process: Process, control: Control, connections: socket.socket, *, index: int, handed: int
    ) -> None:
        self.index = index
        self.handed = handed
        self._process = process
        self._control = control
        self._connections = connections
        self._reply: asyncio.Future[Message] | None = None
        self.ready: Message = {}
        self.open = True
        self.draining = False

    @classmethod
    async def started(cls, launch: Launch, *, handed: int) -> WorkerProcess:
        """Start the process and wait until it is ready.

        Args:
            launch: what it shall do; of its descriptors only that of the board counts.
            handed: where the count of connections handed to it begins.

        Raises:
            WorkerFailed: it ended before, or said why it cannot start.
        """
        control, its_control = socket.socketpair()
        connections, its_connections = socket.socketpair()
        connections.setblocking(False)
        theirs = (its_control.fileno(), its_connections.fileno(), launch.board)
        async with contextlib.AsyncExitStack() as undo:  # all of it, unless the worker becomes ready
            undo.callback(connections.close)
            with its_control, its_connections:
                line = await Control.over(control)
                undo.push_async_callback(line.close)
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *(f"-W{option}" for option in sys.warnoptions),
                    "-m",
                    "serving.worker",
                    stdin=PIPE,
                    pass_fds=theirs,
                )
            worker = cls(process, line, connections, index=launch.index, handed=handed)
            undo.push_async_callback(worker.kill)
            await worker._brief(replace(launch, control=theirs[0], connections=theirs[1]))
            undo.pop_all()
        return worker

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def hand(self, connection: socket.socket) -> bool:
        """Give it a connection; false where it takes none at the moment."""
        try:
            socket.send_fds(self._connections, [_MARK], [connection.fileno()])
        except OSError:
            return False
        self.handed += 1
        return True

    def stop(self) -> None:
        """Ask it to drain and end."""
        self.draining = True
        self._control.tell({DO: "stop"})

    def tell(self, message: Message) -> None:
        """Send it something that needs no reply."""
        self._control.tell(message)

    async def ask(self, message: Message) -> Message:
        """Send it an order and wait for the reply; one order at a time."""
        self._reply = asyncio.get_running_loop().create_future()
        self._control.tell(message)
        return await self._reply

    async def listen(self, on_load: Callable[[WorkerProcess, Message], None]) -> int:
        """Hear what it says until it is gone; returns its exit status. `on_load` hears what it wants loaded."""
        while (message := await self._control.heard()) is not None:
            match message[EVENT]:
                case "reply":
                    self._answer(message)
                case "load":
                    on_load(self, message)
                case "draining":
                    self.draining = True
                case "closed":
                    self.open = False
        self.open = False
        self._answer(_GONE)
        status = await self._process.wait()
        await self._close()
        return status

    def terminate(self) -> None:
        """End it at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def kill(self) -> None:
        """End it at once, and wait until it is gone, which takes but a moment: a cancellation waits too."""
        self.terminate()
        if self._process.stdin is not None:
            self._process.stdin.close()
        gone = asyncio.ensure_future(self._process.wait())
        while not gone.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(gone)
        await self._close()

    async def _brief(self, launch: Launch) -> None:
        """Tell it what to do, and wait until it is ready."""
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(launch))
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()
        self._process.stdin.close()
        message = await self._control.heard()
        if message is None:
            raise WorkerFailed(f"ended with status {await self._process.wait()} before it was ready")
        if message[EVENT] == "failed":
            raise WorkerFailed(message["text"])
        self.ready = message

    def _answer(self, message: Message) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(message)

    async def _close(self) -> None:
        await self._control.close()
        self._connections.close()


def signal_or_status(status: int) -> str:
    """How a process ended, in words.

    >>> signal_or_status(-9), signal_or_status(3)
    ('was killed by signal 9', 'ended with status 3')
    """
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
