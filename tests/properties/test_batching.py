"""Whatever arrives when, in whatever size, and whatever fails: no request sees another's rows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Batcher, Draining, QueueFull


@dataclass(frozen=True)
class Arrival:
    pause_ms: int
    rows: int
    fails: bool
    cancelled: bool


class PoisonError(Exception):
    pass


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        pause_ms=st.sampled_from([0, 0, 0, 1, 2]),
        rows=st.integers(1, 9),
        fails=st.sampled_from([False, False, False, True]),
        cancelled=st.sampled_from([False, False, False, True]),
    ),
    max_size=20,
)


class Squares:
    """[row, row²] for each row; a batch with a negative row fails whole. Remembers what it computed."""

    def __init__(self, compute_ms: int) -> None:
        self._compute_ms = compute_ms
        self.batches: list[list[int]] = []

    def __call__(self, rows: list[int]) -> np.ndarray:
        self.batches.append(list(rows))
        time.sleep(self._compute_ms / 1000)
        if min(rows) < 0:
            raise PoisonError(min(rows))
        return np.array([[row, row * row] for row in rows])


def rows_of(index: int, arrival: Arrival) -> list[int]:
    """Rows that no other request has; the middle one is negative where the request must fail."""
    rows = [index * 100 + offset + 1 for offset in range(arrival.rows)]
    if arrival.fails:
        rows[arrival.rows // 2] *= -1
    return rows


@settings(max_examples=150, deadline=None)
@given(
    arrivals=ARRIVALS,
    max_batch_rows=st.integers(1, 6),
    queue_limit_rows=st.integers(9, 30),
    compute_ms=st.sampled_from([0, 1]),
)
def test_every_request_gets_its_own_rows_or_its_own_error(
    arrivals: list[Arrival], max_batch_rows: int, queue_limit_rows: int, compute_ms: int
) -> None:
    compute = Squares(compute_ms)

    async def scenario() -> list[np.ndarray | BaseException]:
        batcher: Batcher[int] = Batcher(compute, max_batch_rows, queue_limit_rows)
        tasks = []
        for index, arrival in enumerate(arrivals):
            await asyncio.sleep(arrival.pause_ms / 1000)
            task = asyncio.ensure_future(batcher.submit(rows_of(index, arrival)))
            tasks.append(task)
            if arrival.cancelled:
                asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.sleep(0)
        await asyncio.wait_for(batcher.drain(), timeout=20)
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=1)
        try:
            await batcher.submit([1])
            raise AssertionError("a drained batcher took a request")
        except Draining:
            batcher.close()
        return outcomes

    outcomes = asyncio.run(scenario())

    computed = {row for batch in compute.batches for row in batch}
    assert all(len(batch) <= max_batch_rows for batch in compute.batches)
    for index, (arrival, outcome) in enumerate(zip(arrivals, outcomes, strict=True)):
        rows = rows_of(index, arrival)
        if isinstance(outcome, np.ndarray):
            assert not arrival.fails
            assert outcome.tolist() == [[row, row * row] for row in rows]
        elif isinstance(outcome, PoisonError):
            assert arrival.fails
            assert outcome.args[0] in rows
        elif isinstance(outcome, QueueFull):
            assert computed.isdisjoint(rows)
        else:
            assert isinstance(outcome, asyncio.CancelledError)
            assert arrival.cancelled
