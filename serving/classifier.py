"""The model that is loaded now and the queue before it: what every protocol calls, whatever its wire format."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from serving.batching import Batcher, BatchingRules
from serving.engine import Engine
from serving.observer import NoObserver, Observer
from serving.parts import BatchLimits
from serving.provider import Provider
from serving.readiness import Readiness
from serving.settings import ServerSettings
from serving.tokens import EncodedText

# Up to so many characters texts are tokenised in the event loop: some tens of microseconds, less than handing them
# to a thread and back. More would hold up everybody's answers, so a thread takes them.
_TOKENISE_INLINE_CHARS = 8_192

Gone = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Answered:
    """Probabilities float32 [rows, labels] in the order of the rows, how many of them were cut, and who answered."""

    engine: Engine
    probabilities: np.ndarray
    truncated: int


@dataclass(slots=True, eq=False)
class _Loaded:
    """One model with its queue, and how many requests use it at the moment."""

    engine: Engine
    batcher: Batcher[EncodedText]
    users: int = 0
    unused: asyncio.Event = field(default_factory=asyncio.Event)


class Classifier:
    """Answers texts or token ids with the model that is loaded when a request arrives.

    Everything but the constructor must be called from one event loop.
    """

    def __init__(self, engine: Engine, settings: ServerSettings, observer: Observer | None = None) -> None:
        self._settings = settings
        self._observer = observer or NoObserver()
        self._now = self._loaded(engine)
        self._former: list[_Loaded] = []
        self._warm = False
        self._draining = False

    @property
    def engine(self) -> Engine:
        """The model that a request of this moment gets."""
        return self._now.engine

    @property
    def batcher(self) -> Batcher[EncodedText]:
        """The queue of that model."""
        return self._now.batcher

    @property
    def readiness(self) -> Readiness:
        """Whether traffic should be sent here."""
        if self._draining:
            return Readiness.DRAINING
        return Readiness.READY if self._warm else Readiness.STARTING

    def start(self) -> None:
        """Warm up, before the first request."""
        self.engine.warm_up(self._settings.max_batch_rows)
        self._warm = True

    async def answer_texts(
        self, texts: Sequence[str], *, deadline: float | None = None, gone: Gone | None = None
    ) -> Answered:
        """Answer texts; see `answer_tokens`."""
        with self._in_use() as loaded:
            loaded.batcher.check_room(len(texts), deadline)  # before its texts cost anything
            encoded = await self._encoded(loaded.engine, texts)
            return await _answered(loaded, encoded, deadline, gone)

    async def answer_tokens(
        self, encoded: Sequence[EncodedText], *, deadline: float | None = None, gone: Gone | None = None
    ) -> Answered:
        """Answer rows that the client tokenised.

        Args:
            encoded: at least one row.
            deadline: the event loop's time after which nobody wants the answer.
            gone: whether the client has left; asked before the rows are computed.

        Raises:
            Draining, QueueFull: nothing was accepted.
            DeadlinePassed, ClientGone: before the rows were computed.
            InferenceError: the model gave no usable answer for these rows.
        """
        with self._in_use() as loaded:
            return await _answered(loaded, encoded, deadline, gone)

    async def swap(self, engine: Engine) -> None:
        """Let `engine`, warmed up here, answer all requests from now on; returns once the former model is done.

        No request is lost: those that began with the former model are answered by it.
        """
        await asyncio.to_thread(engine.warm_up, self._settings.max_batch_rows)
        former, self._now = self._now, self._loaded(engine)
        self._former.append(former)
        if former.users:
            former.unused.clear()
            await former.unused.wait()
        self._former.remove(former)
        former.batcher.close()

    async def drain(self) -> None:
        """Refuse new rows from now on, and return once every accepted row is answered."""
        self._draining = True
        for loaded in (self._now, *self._former):
            await loaded.batcher.drain()

    def close(self) -> None:
        """End the thread that computes. Call `drain` first."""
        self._now.batcher.close()

    def _loaded(self, engine: Engine) -> _Loaded:
        rules = batching_rules(self._settings, engine.provider)
        batcher: Batcher[EncodedText] = Batcher(
            engine.probabilities, rules, tokens_of=EncodedText.__len__, observer=self._observer
        )
        return _Loaded(engine, batcher)

    @contextmanager
    def _in_use(self) -> Iterator[_Loaded]:
        loaded = self._now
        loaded.users += 1
        try:
            yield loaded
        finally:
            loaded.users -= 1
            if not loaded.users:
                loaded.unused.set()

    async def _encoded(self, engine: Engine, texts: Sequence[str]) -> list[EncodedText]:
        began = time.perf_counter()
        if sum(map(len, texts)) <= _TOKENISE_INLINE_CHARS:
            encoded = engine.encode(texts)
        else:
            encoded = await asyncio.to_thread(engine.encode, texts)
        self._observer.tokenised(time.perf_counter() - began)
        return encoded


def batching_rules(settings: ServerSettings, provider: Provider) -> BatchingRules:
    """How this process batches on this provider."""
    return BatchingRules(
        limits=BatchLimits(rows=settings.max_batch_rows, tokens=settings.max_batch_tokens),
        queue_rows=settings.queue_limit_rows,
        max_delay_s=settings.max_delay_ms / 1_000,
        spare_core=provider is Provider.CUDA or _cores() > 1,
    )


def _cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _answered(
    loaded: _Loaded, encoded: Sequence[EncodedText], deadline: float | None, gone: Gone | None
) -> Answered:
    probabilities = await loaded.batcher.submit(encoded, deadline=deadline, gone=gone)
    return Answered(loaded.engine, probabilities, sum(row.truncated for row in encoded))
