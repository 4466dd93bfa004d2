"""Dynamic batching without deliberate delay: a batch is whatever queued while the last one ran.

Waiting for company costs a lone client its latency and gains nothing once clients queue anyway. All state
belongs to the event loop; one worker thread does nothing but compute, so that the loop stays free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from serving.errors import InferenceError, ServingError

Row = TypeVar("Row")


class QueueFull(ServingError):
    """Accepting the rows would exceed the queue's limit; try again shortly."""


class DeadlinePassed(ServingError):
    """Nobody wants the answer any more: the request's deadline passed while it waited."""


class ClientGone(ServingError):
    """Nobody wants the answer any more: the client left while its request waited."""


class Draining(ServingError):
    """The server is finishing what it accepted and takes nothing new."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part(Generic[Row]):
    """Rows of one request that fit one batch, and where their answer goes."""

    rows: list[Row]
    answer: asyncio.Future[np.ndarray]
    deadline: float | None
    gone: Callable[[], bool] | None

    def is_wanted(self, now: float) -> bool:
        """Whether somebody still waits for the answer; a passed deadline is told at once."""
        if self.answer.done():
            return False
        if self.deadline is not None and now > self.deadline:
            self.answer.set_exception(DeadlinePassed("the deadline passed before the texts were computed"))
            return False
        if self.gone is not None and self.gone():
            self.answer.set_exception(ClientGone("the client left before the texts were computed"))
            return False
        return True


class Batcher(Generic[Row]):
    """Merges concurrent requests into batches for one compute function.

    Args:
        run: answers a batch, one leading-axis entry per row; called in one worker thread, one at a time.
        max_batch_rows: no batch is larger. A larger request is cut into parts and its answer joined again.
        queue_limit_rows: rows that may wait, the running batch not counted.

    Everything but `run` must be called from one event loop.
    """

    def __init__(self, run: Callable[[list[Row]], np.ndarray], max_batch_rows: int, queue_limit_rows: int) -> None:
        self._run = run
        self._max_batch_rows = max_batch_rows
        self._queue_limit_rows = queue_limit_rows
        self._waiting: deque[_Part[Row]] = deque()
        self._waiting_rows = 0
        self._busy = False
        self._draining = False
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compute")

    @property
    def draining(self) -> bool:
        """Whether new rows are refused because the server is stopping."""
        return self._draining

    @property
    def busy(self) -> bool:
        """Whether a batch is being computed."""
        return self._busy

    @property
    def waiting_rows(self) -> int:
        """Rows accepted and not yet in a batch; cancelled ones count until they are dropped."""
        return self._waiting_rows

    def check_room(self, rows: int) -> None:
        """Raise what `submit` would raise now for so many rows, so that a refusal costs no other work.

        Raises:
            Draining: `drain` was called.
            QueueFull: the rows do not fit the queue.
        """
        if self._draining:
            raise Draining("the server is draining and takes no new requests; send them to another server")
        if self._waiting_rows + rows > self._queue_limit_rows:
            self._drop_cancelled()
        if self._waiting_rows + rows > self._queue_limit_rows:
            raise QueueFull(
                f"{self._waiting_rows} rows wait and {rows} more exceed the limit of "
                f"{self._queue_limit_rows}; try again shortly"
            )

    async def submit(
        self, rows: Sequence[Row], *, deadline: float | None = None, gone: Callable[[], bool] | None = None
    ) -> np.ndarray:
        """Answer the rows of one request, in their order; the first axis has one entry per row.

        Cancelling the call drops what has not been computed yet, and so do a `deadline` (the loop's time) that
        passed and a client of whom `gone` says that it left.

        Raises:
            Draining, QueueFull: see `check_room`; nothing was queued.
            DeadlinePassed, ClientGone: before the rows were computed.
            ValueError: `rows` is empty.
            Exception: whatever `run` raised on this request alone.
        """
        if not rows:
            raise ValueError("a request has 0 rows; give at least one")
        self.check_room(len(rows))
        loop = asyncio.get_running_loop()
        parts: list[_Part[Row]] = [
            _Part(list(rows[start : start + self._max_batch_rows]), loop.create_future(), deadline, gone)
            for start in range(0, len(rows), self._max_batch_rows)
        ]
        if not self._busy and not self._waiting:
            # On the loop's next turn: requests that arrived in this one share the batch.
            loop.call_soon(self._start_next)
        self._waiting.extend(parts)
        self._waiting_rows += len(rows)
        self._idle.clear()
        return await _joined([part.answer for part in parts])

    async def drain(self) -> None:
        """Refuse new rows from now on, and return once every accepted row is answered."""
        self._draining = True
        await self._idle.wait()

    def close(self) -> None:
        """End the worker thread once its current batch is done. Call `drain` first."""
        self._draining = True
        self._worker.shutdown(wait=True)

    def _start_next(self) -> None:
        if self._busy:
            return
        batch = self._take_batch()
        if not batch:
            self._idle.set()
            return
        self._busy = True
        loop = asyncio.get_running_loop()
        computing = self._worker.submit(_outcomes, self._run, batch)
        computing.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, batch, done))

    def _take_batch(self) -> list[_Part[Row]]:
        """Oldest parts first, as many as fit; cancelled ones are dropped before they cost a computation."""
        batch: list[_Part[Row]] = []
        room, now = self._max_batch_rows, asyncio.get_running_loop().time()
        while self._waiting:
            part = self._waiting[0]
            wanted = part.is_wanted(now)
            if wanted and len(part.rows) > room:
                break
            self._waiting.popleft()
            self._waiting_rows -= len(part.rows)
            if wanted:
                batch.append(part)
                room -= len(part.rows)
        return batch

    def _finish(self, batch: list[_Part[Row]], done: Future[list[np.ndarray | Exception]]) -> None:
        self._busy = False
        self._start_next()  # first, so that the worker computes while the loop writes answers
        for part, outcome in zip(batch, done.result(), strict=True):
            if part.answer.done():
                continue
            if isinstance(outcome, Exception):
                part.answer.set_exception(outcome)
            else:
                part.answer.set_result(outcome)

    def _drop_cancelled(self) -> None:
        kept = [part for part in self._waiting if not part.answer.done()]
        self._waiting = deque(kept)
        self._waiting_rows = sum(len(part.rows) for part in kept)


async def _joined(answers: list[asyncio.Future[np.ndarray]]) -> np.ndarray:
    """Join a request's parts; when one fails or the caller leaves, the others are dropped."""
    if len(answers) == 1:
        return await answers[0]
    try:
        return np.concatenate(await asyncio.gather(*answers))
    except BaseException:
        for answer in answers:
            answer.cancel()
        raise


def _outcomes(run: Callable[[list[Row]], np.ndarray], batch: list[_Part[Row]]) -> list[np.ndarray | Exception]:
    """Compute a batch in the worker thread; if it fails, each part alone, so that only the bad one fails."""
    try:
        answer = _answered(run, [row for part in batch for row in part.rows])
    except Exception as error:  # noqa: BLE001 - `run` is anyone's, and every request must get an answer
        if len(batch) == 1:
            return [error]
        return [outcome for part in batch for outcome in _outcomes(run, [part])]
    ends = np.cumsum([len(part.rows) for part in batch])
    return list(np.split(answer, ends[:-1]))


def _answered(run: Callable[[list[Row]], np.ndarray], rows: list[Row]) -> np.ndarray:
    answer = run(rows)
    if len(answer) != len(rows):
        raise InferenceError(f"the model gave {len(answer)} answers for {len(rows)} rows; check its export")
    return answer
