"""Dynamic batching without deliberate delay: a batch is whatever queued while the last one ran.

Waiting for company costs a lone client its latency and gains nothing once clients queue anyway. All state
belongs to the event loop; one worker thread does nothing but compute.

Where there is a core to spare, the next batch starts before the answers of the last one are written. Where the
process has a single core the two would only take turns: there the answers go first, and the next batch starts once
the loop finds nothing new, so that it is as full as it can be at no cost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

import numpy as np

from serving.computing import outcomes
from serving.errors import ServingError
from serving.observer import NoObserver, Observer
from serving.pace import Pace
from serving.parts import BatchLimits, Part, Row, cut, joined

# How many turns of the loop may bring new rows before the batch starts nevertheless.
_MOST_TURNS = 16
# How many parts of unlike length are passed over in the search for a full batch.
_MOST_PASSED_OVER = 64


class QueueFull(ServingError):
    """Accepting the rows would exceed the queue's limit; try again shortly."""


class Draining(ServingError):
    """The server is finishing what it accepted and takes nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingRules:
    """When a batch starts, and what may wait for it.

    Attributes:
        limits: how large a batch may be.
        queue_rows: rows that may wait, the running batch not counted.
        max_delay_s: how long a row may wait for a fuller batch while nothing runs. 0 is best unless a larger batch
            is much cheaper a row, as on a GPU.
        spare_core: whether computing and answering can go on at the same time.
    """

    limits: BatchLimits
    queue_rows: int
    max_delay_s: float = 0.0
    spare_core: bool = True


class Batcher(Generic[Row]):
    """Merges concurrent requests into batches for one compute function.

    Args:
        run: answers a batch, one leading-axis entry per row; called in one worker thread, one at a time.
        rules: see `BatchingRules`.
        tokens_of: the length of a row. Rows of unlike length are kept apart, because each row is padded to the
            longest of its batch.
        observer: is told of every batch and of every row that was dropped.

    Everything but `run` must be called from one event loop.
    """

    def __init__(
        self,
        run: Callable[[list[Row]], np.ndarray],
        rules: BatchingRules,
        *,
        tokens_of: Callable[[Row], int] = lambda _: 1,
        observer: Observer | None = None,
    ) -> None:
        self._run = run
        self._rules = rules
        self._tokens_of = tokens_of
        self._observer = observer or NoObserver()
        self._waiting: deque[Part[Row]] = deque()
        self._waiting_rows = 0
        self._arrivals = 0
        self._busy = False
        self._looking = False
        self._delay: asyncio.TimerHandle | None = None
        self._draining = False
        self._pace = Pace()
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
        """Rows accepted and not yet in a batch; unwanted ones count until they are dropped."""
        return self._waiting_rows

    def wait_s(self) -> float:
        """How long a row that arrives now will probably take, in seconds; 0 while nothing is known."""
        return self._pace.wait_s(self._waiting_rows + 1, asyncio.get_running_loop().time())

    def check_room(self, rows: int, deadline: float | None = None) -> None:
        """Raise what `submit` would raise now for so many rows, so that a refusal costs no other work.

        Raises:
            Draining: `drain` was called.
            QueueFull: the rows do not fit the queue, or would probably be answered after the `deadline`.
        """
        if self._draining:
            self._observer.refused("draining")
            raise Draining("the server is draining and takes no new requests; send them to another server")
        limit = self._rules.queue_rows
        if self._waiting_rows + rows > limit:
            self._drop_unwanted()
        if self._waiting_rows + rows > limit:
            self._observer.refused("queue full")
            raise QueueFull(
                f"{self._waiting_rows} rows wait and {rows} more exceed the limit of {limit}; try again shortly"
            )
        if deadline is not None and (self._waiting_rows or self._busy):
            self._refuse_late(rows, deadline)

    def _refuse_late(self, rows: int, deadline: float) -> None:
        """An answer that comes too late costs as much as one in time, and makes the next one late."""
        now = asyncio.get_running_loop().time()
        wait_s = self._pace.wait_s(self._waiting_rows + rows, now)
        if now < deadline < now + wait_s:
            self._observer.refused("too late")
            raise QueueFull(
                f"{self._waiting_rows} rows wait, and an answer would take about {wait_s * 1e3:.0f} ms, longer than "
                f"the {(deadline - now) * 1e3:.0f} ms that are left; try again shortly"
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
        self.check_room(len(rows), deadline)
        loop = asyncio.get_running_loop()
        now = loop.time()
        tokens = [self._tokens_of(row) for row in rows]
        order = cut(tokens, self._rules.limits)
        parts: list[Part[Row]] = [
            Part(
                [rows[number] for number in numbers],
                tokens[numbers[-1]],
                sum(tokens[number] for number in numbers),
                loop.create_future(),
                now,
                deadline,
                gone,
            )
            for numbers in order
        ]
        self._waiting.extend(parts)
        self._waiting_rows += len(rows)
        self._arrivals += 1
        self._idle.clear()
        self._look(loop)
        return await joined([part.answer for part in parts], order)

    async def drain(self) -> None:
        """Refuse new rows from now on, and return once every accepted row is answered."""
        self._draining = True
        await self._idle.wait()

    def close(self) -> None:
        """End the worker thread once its current batch is done. Call `drain` first."""
        self._draining = True
        self._worker.shutdown(wait=True)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a batch on one of the loop's next turns: requests that arrive together share it."""
        if self._busy or not self._waiting:
            return
        if self._delay is not None and self._is_full:
            self._delay.cancel()
            self._delay = None
        elif self._looking:
            return
        self._looking = True
        loop.call_soon(self._start_or_look_again, self._arrivals - 1, 0)

    @property
    def _is_full(self) -> bool:
        return self._waiting_rows >= self._rules.limits.rows

    def _start_or_look_again(self, arrivals: int, turns: int) -> None:
        """`arrivals` is how many requests had come when the loop last looked, so many turns ago."""
        loop = asyncio.get_running_loop()
        news = self._arrivals != arrivals and turns < _MOST_TURNS
        if news and not self._is_full and not self._rules.spare_core:
            loop.call_soon(self._start_or_look_again, self._arrivals, turns + 1)
        elif not self._is_full and self._rules.max_delay_s and self._waiting:
            start = self._waiting[0].arrived + self._rules.max_delay_s
            self._delay = loop.call_at(start, self._start_next)
        else:
            self._start_next()

    def _start_next(self) -> None:
        self._looking, self._delay = False, None
        if self._busy:
            return
        batch = self._take_batch()
        if not batch:
            self._idle.set()
            return
        self._busy = True
        loop = asyncio.get_running_loop()
        self._pace.began(loop.time(), sum(len(part.rows) for part in batch))
        self._worker.submit(self._compute, batch, loop)

    def _compute(self, batch: list[Part[Row]], loop: asyncio.AbstractEventLoop) -> None:
        """In the worker thread."""
        began = time.perf_counter()
        answers = outcomes(self._run, batch)
        loop.call_soon_threadsafe(self._finish, batch, answers, time.perf_counter() - began)

    def _take_batch(self) -> list[Part[Row]]:
        """The oldest part, and of those that follow as many as fit; the others keep their places."""
        now = asyncio.get_running_loop().time()
        batch: list[Part[Row]] = []
        passed_over: list[Part[Row]] = []
        rows = longest = real = 0
        while self._waiting and rows < self._rules.limits.rows and len(passed_over) < _MOST_PASSED_OVER:
            part = self._waiting.popleft()
            if self._is_dropped(part, now):
                continue
            extended = rows + len(part.rows), max(longest, part.longest), real + part.real_tokens
            if batch and not self._rules.limits.admit(*extended):
                passed_over.append(part)
                continue
            rows, longest, real = extended
            batch.append(part)
            self._waiting_rows -= len(part.rows)
            self._observer.queued(now - part.arrived)
        self._waiting.extendleft(reversed(passed_over))
        return batch

    def _is_dropped(self, part: Part[Row], now: float) -> bool:
        reason = part.why_unwanted(now)
        if reason is None:
            return False
        self._waiting_rows -= len(part.rows)
        self._observer.dropped(reason, len(part.rows))
        return True

    def _finish(self, batch: list[Part[Row]], answers: list[np.ndarray | Exception], seconds: float) -> None:
        self._busy = False
        self._pace.finished(asyncio.get_running_loop().time(), more=bool(self._waiting))
        if self._rules.spare_core and (self._is_full or not self._rules.max_delay_s):
            self._start_next()  # first, so that it computes while the answers are written
        rows = sum(len(part.rows) for part in batch)
        self._observer.computed(seconds, rows, rows * max(part.longest for part in batch))
        for part, outcome in zip(batch, answers, strict=True):
            if part.answer.done():
                continue
            if isinstance(outcome, Exception):
                part.answer.set_exception(outcome)
            else:
                part.answer.set_result(outcome)
        if self._waiting:
            self._look(asyncio.get_running_loop())
        elif not self._busy:
            self._idle.set()

    def _drop_unwanted(self) -> None:
        now = asyncio.get_running_loop().time()
        self._waiting = deque(part for part in self._waiting if not self._is_dropped(part, now))
