"""Several workers on one port: starts them, deals them connections, replaces those that die, swaps their model, and
stops them all.

It takes part in no request, and imports nothing heavy.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.board import Board
from serving.control import DO, Message, described_error, error_of, load_message, load_of, loaded_message
from serving.dealing import Dealer
from serving.errors import LoadConflict, ServingError
from serving.figures import CLOSED_CONNECTIONS, RESTARTS
from serving.keys import Keys
from serving.launch import Launch
from serving.listen import listen
from serving.loads import Load, Loaded
from serving.settings import ServerSettings
from serving.worker_process import WorkerFailed, WorkerProcess, signal_or_status

# A worker that lived so long was no failure of its start.
_STABLE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_MOST_FAILURES = 5
# What a worker has beyond `drain_s` to close its connections and end.
_GRACE_S = 10.0


@dataclass(slots=True, eq=False)
class _Place:
    """One of the workers' places: who holds it, and how often in a row it could not be kept."""

    index: int
    core: int | None
    worker: WorkerProcess | None = None
    failures: int = 0


class Supervisor:
    """See `run`.

    Args:
        listener: bound, not yet listening.
        folder: the model folder.
        settings: `workers` of them say how many.
        keys: who may ask.
        cores: worker i is pinned to the i-th, from the beginning again where there are fewer; none: to none.
    """

    def __init__(
        self, listener: socket.socket, folder: Path, settings: ServerSettings, keys: Keys, cores: Sequence[int]
    ) -> None:
        self._listener = listener
        self._settings = settings
        self._keys = keys
        self._folder = folder
        self._version: str | None = None
        self._board = Board.shared(settings.workers)
        self._places = [_Place(i, cores[i % len(cores)] if cores else None) for i in range(settings.workers)]
        self._stopping = asyncio.Event()
        self._changing = asyncio.Lock()
        self._loads: set[asyncio.Task[None]] = set()
        self._clean = True

    async def run(self) -> bool:
        """Serve until a stop signal; true if every worker answered all that it had accepted.

        Raises:
            ServingError: the workers could not start.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        try:
            await self._start_all()
            listen(self._listener)
            self._listener.setblocking(False)
            dealer = Dealer(self._listener, self._takers, self._open_connections)
            dealer.start()
            self._say_ready()
            await self._keep_all()
            dealer.stop()
        finally:
            await asyncio.gather(*(worker.kill() for worker in self._workers()))
        return self._clean

    def _workers(self) -> list[WorkerProcess]:
        return [place.worker for place in self._places if place.worker is not None]

    def _takers(self) -> list[WorkerProcess]:
        """Who may get connections: none that drains, unless all do, for then they refuse in words."""
        taking = [worker for worker in self._workers() if worker.open]
        return taking if self._stopping.is_set() else [worker for worker in taking if not worker.draining]

    def _open_connections(self, worker: WorkerProcess) -> int:
        return worker.handed - int(self._board.row(worker.index)[CLOSED_CONNECTIONS])

    def _on_signal(self) -> None:
        """The first asks the workers to drain, the second ends them."""
        if self._stopping.is_set():
            self._clean = False
            for worker in self._workers():
                worker.terminate()
        self._stopping.set()
        for worker in self._workers():
            worker.stop()

    async def _start_all(self) -> None:
        async def stopped() -> None:
            await self._stopping.wait()
            raise WorkerFailed("stopped while it was starting")

        starts = [asyncio.ensure_future(self._start(place)) for place in self._places]
        watch = asyncio.ensure_future(stopped())
        try:
            waiting = {*starts, watch}
            while waiting != {watch}:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for start in done:
                    start.result()
        finally:
            for task in (*starts, watch):
                task.cancel()
            await asyncio.gather(*starts, watch, return_exceptions=True)
        versions = {worker.ready["version"] for worker in self._workers()}
        if len(versions) != 1:
            raise WorkerFailed(f"{self._folder} changed while the workers read it; start again")
        (self._version,) = versions

    async def _start(self, place: _Place) -> None:
        """Put a worker in a place.

        Raises:
            WorkerFailed: it did not become ready.
        """
        launch = Launch(
            folder=self._folder,
            settings=self._settings,
            keys=self._keys,
            version=self._version,
            index=place.index,
            core=place.core,
            control=-1,
            connections=-1,
            board=self._board.descriptor or -1,
        )
        place.worker = await WorkerProcess.started(launch, handed=int(self._board.row(place.index)[CLOSED_CONNECTIONS]))

    def _say_ready(self) -> None:
        host, port = self._listener.getsockname()[:2]
        about = next(iter(self._workers())).ready
        line = {
            "event": "ready",
            "scheme": "http" if self._settings.tls_cert is None else "https",
            "host": host,
            "port": port,
            "pid": os.getpid(),
            "provider": about["provider"],
            "model": about["model"],
            "version": about["version"],
            "pinned_core": None,
            "workers": len(self._places),
            "pids": [worker.pid for worker in self._workers()],
            "pinned_cores": [place.core for place in self._places],
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    async def _keep_all(self) -> None:
        """Keep every place filled until all are given up or, after a stop signal, empty."""
        keeping = asyncio.gather(*(self._keep(place) for place in self._places))
        stopping = asyncio.ensure_future(self._stopping.wait())
        either: list[asyncio.Future[Any]] = [keeping, stopping]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _say("no worker can be kept alive; the server ends")
            stopping.cancel()
            self._clean = False
        _, late = await asyncio.wait([keeping], timeout=self._settings.drain_s + _GRACE_S)
        if late:
            keeping.cancel()
            self._clean = False
        await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, place: _Place) -> None:
        """Replace the worker of a place whenever it ends, until a stop signal or too many failures in a row."""
        while place.worker is not None:
            loop = asyncio.get_running_loop()
            began, worker = loop.time(), place.worker
            status = await worker.listen(self._on_load)
            self._forget(place, worker)
            if self._stopping.is_set():
                self._clean = self._clean and status == 0
                return
            place.failures = 0 if loop.time() - began > _STABLE_S else place.failures + 1
            _say(f"worker {place.index} (process {worker.pid}) {signal_or_status(status)}; another takes its place")
            await self._refill(place)

    def _forget(self, place: _Place, worker: WorkerProcess) -> None:
        place.worker = None
        self._board.clear_gauges(place.index)
        self._board.row(place.index)[CLOSED_CONNECTIONS] = worker.handed  # what was open ended with it

    async def _refill(self, place: _Place) -> None:
        """Start another worker; after each failure wait twice as long, and after too many leave the place empty."""
        while place.failures < _MOST_FAILURES:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**place.failures) if place.failures else 0.0
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            if self._stopping.is_set():
                return
            try:
                async with self._changing:
                    await self._start(place)
            except WorkerFailed as error:
                place.failures += 1
                _say(f"worker {place.index} could not be started: {error}")
            else:
                self._board.row(place.index)[RESTARTS] += 1
                if self._stopping.is_set() and place.worker is not None:
                    place.worker.stop()
                return
        _say(f"worker {place.index} failed {place.failures} times in a row and is given up")

    def _on_load(self, asker: WorkerProcess, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_load(asker, message))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _answer_load(self, asker: WorkerProcess, message: Message) -> None:
        try:
            outcome = loaded_message(await self._load(load_of(message)))
        except ServingError as error:
            outcome = described_error(error)
        asker.tell({DO: "outcome", "number": message["number"], **outcome})

    async def _load(self, load: Load) -> Loaded:
        """Let every worker prepare the model; only if all of them can, let them all switch to it.

        Raises:
            ModelFolderError, ProviderError, LoadConflict: a worker cannot; none has switched.
        """
        if self._changing.locked():
            raise LoadConflict("another model is being loaded or a worker replaced; try again when that is done")
        async with self._changing:
            workers = [worker for worker in self._workers() if not worker.draining]
            replies = await asyncio.gather(*(worker.ask({DO: "prepare", **load_message(load)}) for worker in workers))
            refusal = _refusal(workers, replies)
            if refusal is not None:
                for worker in workers:
                    worker.tell({DO: "abandon"})
                raise refusal
            former = self._version or ""
            self._folder, self._version = load.folder, replies[0]["version"]
            switched = await asyncio.gather(*(worker.ask({DO: "commit"}) for worker in workers))
            for worker, reply in zip(workers, switched, strict=True):
                if error_of(reply) is not None:  # the one that takes its place starts with the new model
                    _say(f"worker process {worker.pid} did not switch to the new model: {reply['text']}")
                    worker.stop()
        return Loaded(name=replies[0]["name"], version=replies[0]["version"], former_version=former)


def _refusal(workers: Sequence[WorkerProcess], replies: Sequence[Message]) -> ServingError | None:
    """Why a model cannot be switched to, if it cannot; an error that all workers share is said once."""
    errors = [(worker, error) for worker, reply in zip(workers, replies, strict=True) if (error := error_of(reply))]
    if not workers:
        return LoadConflict("no worker is there to load it; try again shortly")
    if errors:
        error = errors[0][1]
        if len(errors) == len(workers) and len({str(error) for _, error in errors}) == 1:
            return error
        pids = ", ".join(str(worker.pid) for worker, _ in errors)
        return LoadConflict(f"worker process {pids} of {len(workers)} could not load it ({error}); none has switched")
    if len({reply["version"] for reply in replies}) != 1:
        return LoadConflict("the folder changed while the workers read it; load it again")
    return None


def _say(line: str) -> None:
    sys.stderr.write(" ".join(line.split()) + "\n")
    sys.stderr.flush()
