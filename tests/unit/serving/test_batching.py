"""Batching rules, one by one, with a compute function whose progress the test controls."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from serving.batching import Batcher, BatchingRules, Draining, QueueFull
from serving.errors import InferenceError
from serving.parts import BatchLimits


class Doubler:
    """Answers 2·row once its gate is open, and remembers the batches; negative rows fail."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, rows: list[int]) -> np.ndarray:
        self.batches.append(rows)
        assert self.gate.wait(timeout=10)
        if min(rows) < 0:
            raise ValueError(f"row {min(rows)} is negative")
        return np.array(rows) * 2


def with_batcher(
    test: Callable[[Batcher[int], Doubler], Awaitable[None]], *, max_batch: int = 4, limit: int = 8
) -> Doubler:
    compute = Doubler()

    async def body() -> None:
        batcher: Batcher[int] = Batcher(
            compute, BatchingRules(limits=BatchLimits(rows=max_batch, tokens=1_000), queue_rows=limit)
        )
        try:
            await asyncio.wait_for(test(batcher, compute), timeout=10)
        finally:
            compute.gate.set()
            batcher.close()

    asyncio.run(body())
    return compute


async def started(compute: Doubler, batches: int = 1) -> None:
    while len(compute.batches) < batches:
        await asyncio.sleep(0.001)


async def queued(batcher: Batcher[int], *requests: list[int]) -> list[asyncio.Task[np.ndarray]]:
    tasks = [asyncio.ensure_future(batcher.submit(rows)) for rows in requests]
    await asyncio.sleep(0)
    return tasks


def test_what_queues_while_a_batch_runs_is_the_next_batch() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        first = await queued(batcher, [1])
        await started(compute)  # alone, because nothing waits on purpose
        rest = await queued(batcher, [2, 3], [4])
        compute.gate.set()
        answers = await asyncio.gather(*first, *rest)
        assert [answer.tolist() for answer in answers] == [[2], [4, 6], [8]]

    assert with_batcher(test).batches == [[1], [2, 3, 4]]


def test_requests_of_the_same_loop_turn_share_the_first_batch() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        compute.gate.set()
        await asyncio.gather(*await queued(batcher, [1], [2], [3]))

    assert with_batcher(test).batches == [[1, 2, 3]]


def test_a_request_larger_than_a_batch_is_cut_and_joined_in_order() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        compute.gate.set()
        assert (await batcher.submit(list(range(7)))).tolist() == [0, 2, 4, 6, 8, 10, 12]

    assert with_batcher(test, max_batch=3).batches == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_failing_request_fails_alone() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        compute.gate.set()
        good, bad, other = await asyncio.gather(*await queued(batcher, [1], [-5], [2]), return_exceptions=True)
        assert isinstance(good, np.ndarray)
        assert isinstance(other, np.ndarray)
        assert (good.tolist(), other.tolist()) == ([2], [4])
        assert isinstance(bad, ValueError)

    assert with_batcher(test).batches == [[1, -5, 2], [1], [-5], [2]]


def test_a_cancelled_request_is_not_computed() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        first = await queued(batcher, [1])
        await started(compute)
        gone, stays = await queued(batcher, [2], [3])
        gone.cancel()
        await asyncio.sleep(0)
        compute.gate.set()
        assert (await stays).tolist() == [6]
        await asyncio.gather(*first)

    assert with_batcher(test).batches == [[1], [3]]


def test_a_full_queue_refuses_and_takes_again_once_it_has_room() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        running = await queued(batcher, [1])
        await started(compute)
        waiting = await queued(batcher, [2, 3], [4])
        with pytest.raises(QueueFull, match="3 rows wait and 1 more exceed the limit of 3"):
            await batcher.submit([5])
        compute.gate.set()
        await asyncio.gather(*running, *waiting)
        assert (await batcher.submit([6, 7, 8])).tolist() == [12, 14, 16]

    assert with_batcher(test, limit=3).batches == [[1], [2, 3, 4], [6, 7, 8]]


def test_cancelled_rows_do_not_keep_the_queue_full() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        running = await queued(batcher, [1])
        await started(compute)
        (gone,) = await queued(batcher, [2, 3])
        gone.cancel()
        await asyncio.sleep(0)
        (taken,) = await queued(batcher, [4, 5])
        compute.gate.set()
        assert (await taken).tolist() == [8, 10]
        await asyncio.gather(*running)

    with_batcher(test, limit=2)


def test_an_answer_with_the_wrong_number_of_rows_is_an_error_and_no_mixture() -> None:
    async def body() -> None:
        batcher: Batcher[int] = Batcher(
            lambda rows: np.zeros(len(rows) + 1),
            BatchingRules(limits=BatchLimits(rows=4, tokens=1_000), queue_rows=8),
        )
        with pytest.raises(InferenceError, match="gave 3 answers for 2 rows"):
            await batcher.submit([1, 2])
        batcher.close()

    asyncio.run(body())


def test_an_empty_request_is_refused() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        with pytest.raises(ValueError, match="0 rows"):
            await batcher.submit([])

    with_batcher(test)


def test_drain_answers_what_was_accepted_and_refuses_the_rest() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        accepted = await queued(batcher, [1])
        await started(compute)
        accepted += await queued(batcher, [2], [3, 4, 5, 6])
        draining = asyncio.ensure_future(batcher.drain())
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            await batcher.submit([9])
        assert not draining.done()
        compute.gate.set()
        await draining
        await asyncio.sleep(0)
        assert all(task.done() for task in accepted)
        assert [task.result().tolist() for task in accepted] == [[2], [4], [6, 8, 10, 12]]

    with_batcher(test)


def test_drain_of_an_idle_batcher_returns_at_once() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        await batcher.drain()
        assert batcher.draining

    with_batcher(test)


# What shares a batch


class Timed:
    """Answers the row itself; a row is as long as it says."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, rows: list[int]) -> np.ndarray:
        self.batches.append(rows)
        return np.array(rows)


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def tokenised(self, seconds: float) -> None:
        raise AssertionError("the batcher tokenises nothing")

    def queued(self, seconds: float) -> None:
        self.events.append(("queued", 0 <= seconds < 5))

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        self.events.append(("computed", 0 < seconds < 5, rows, tokens))

    def dropped(self, reason: str, rows: int) -> None:
        self.events.append(("dropped", reason, rows))

    def refused(self, reason: str) -> None:
        self.events.append(("refused", reason))


def batches_of(test: Callable[[Batcher[int]], Awaitable[None]], **rules: Any) -> tuple[list[list[int]], Told]:
    compute, told = Timed(), Told()

    async def body() -> None:
        whole = BatchingRules(**{"limits": BatchLimits(rows=4, tokens=1_000), "queue_rows": 8, **rules})
        batcher: Batcher[int] = Batcher(compute, whole, tokens_of=int, observer=told)
        await asyncio.wait_for(test(batcher), timeout=10)
        batcher.close()

    asyncio.run(body())
    return compute.batches, told


def test_rows_of_unlike_length_are_computed_apart_and_the_oldest_comes_first() -> None:
    async def test(batcher: Batcher[int]) -> None:
        answers = await asyncio.gather(*(batcher.submit([length]) for length in (40, 4, 41, 5)))
        assert [answer.tolist() for answer in answers] == [[40], [4], [41], [5]]

    assert batches_of(test)[0] == [[40, 41], [4, 5]]


def test_a_batch_holds_no_more_tokens_than_it_may() -> None:
    async def test(batcher: Batcher[int]) -> None:
        await asyncio.gather(*(batcher.submit([10]) for _ in range(4)))

    batches, _ = batches_of(test, limits=BatchLimits(rows=4, tokens=35))
    assert batches == [[10, 10, 10], [10]]


def test_on_a_single_core_a_batch_starts_once_the_loop_brings_nothing_new() -> None:
    async def test(batcher: Batcher[int]) -> None:
        async def later(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await batcher.submit([10])

        await asyncio.gather(later(0), later(1), later(2))

    assert batches_of(test, spare_core=False)[0] == [[10, 10, 10]]
    assert len(batches_of(test, spare_core=True)[0]) > 1


def test_a_delay_waits_for_company_but_not_once_the_batch_is_full() -> None:
    async def test(batcher: Batcher[int]) -> None:
        async def later(seconds: float) -> None:
            await asyncio.sleep(seconds)
            await batcher.submit([10])

        began = time.monotonic()
        await asyncio.gather(later(0), later(0.02))
        assert 0.1 <= time.monotonic() - began < 2
        await asyncio.wait_for(asyncio.gather(*(later(0.01 * each) for each in range(4))), timeout=0.1)

    assert batches_of(test, max_delay_s=0.1)[0] == [[10, 10], [10, 10, 10, 10]]


def test_the_observer_is_told_of_what_was_computed_dropped_and_refused() -> None:
    async def test(batcher: Batcher[int]) -> None:
        now = asyncio.get_running_loop().time()
        asked = [
            batcher.submit([10, 12]),
            batcher.submit([11], deadline=now - 1),
            batcher.submit([9], gone=lambda: True),
        ]
        await asyncio.gather(*asked, return_exceptions=True)
        with pytest.raises(QueueFull):
            await batcher.submit([1] * 9)
        await batcher.drain()
        with pytest.raises(Draining):
            await batcher.submit([1])

    _, told = batches_of(test)
    assert sorted(map(str, told.events)) == sorted(
        map(
            str,
            [
                ("queued", True),
                ("computed", True, 2, 24),
                ("dropped", "deadline passed", 1),
                ("dropped", "client gone", 1),
                ("refused", "queue full"),
                ("refused", "draining"),
            ],
        )
    )


def test_a_request_that_would_be_answered_too_late_is_refused_at_once() -> None:
    async def test(batcher: Batcher[int], compute: Doubler) -> None:
        first = await queued(batcher, [1])
        await started(compute)
        await asyncio.sleep(0.05)
        compute.gate.set()
        await asyncio.gather(*first)
        assert batcher.wait_s() >= 0.04
        compute.gate.clear()
        running = await queued(batcher, [2])
        await started(compute, batches=2)
        now = asyncio.get_running_loop().time()
        with pytest.raises(QueueFull, match=r"an answer would take about \d+ ms, longer than the 20 ms that are left"):
            await batcher.submit([3], deadline=now + 0.02)
        in_time = asyncio.ensure_future(batcher.submit([4], deadline=now + 5))
        await asyncio.sleep(0)
        compute.gate.set()
        assert (await in_time).tolist() == [8]
        await asyncio.gather(*running)
        assert (await batcher.submit([5], deadline=asyncio.get_running_loop().time() + 0.02)).tolist() == [10], (
            "whatever the past was, an idle server tries"
        )

    assert with_batcher(test).batches == [[1], [2], [4], [5]]
