"""Whatever arrives, leaves and fails, in whatever order: every request gets its own answer, once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Batcher, BatchingRules, Draining, QueueFull
from serving.engine import Engine
from serving.errors import InferenceError
from serving.parts import BatchLimits, ClientGone, DeadlinePassed
from serving.provider import Provider
from serving.tokens import EncodedText


@dataclass(frozen=True)
class Text:
    """A row of so many tokens; ``poison`` fails every batch that it is in."""

    number: int
    tokens: int
    poison: bool


@dataclass(frozen=True)
class Request:
    rows: tuple[Text, ...]
    turns_before: int
    fate: str


def compute(rows: list[Text]) -> np.ndarray:
    if any(row.poison for row in rows):
        raise InferenceError("poison")
    return np.array([[row.number, row.tokens] for row in rows])


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    number = iter(range(1_000_000))
    text = st.builds(
        Text,
        number=st.builds(lambda: next(number)),
        tokens=st.integers(1, 60),
        poison=st.sampled_from([False] * 12 + [True]),
    )
    request = st.builds(
        Request,
        rows=st.lists(text, min_size=1, max_size=9).map(tuple),
        turns_before=st.integers(0, 3),
        fate=st.sampled_from(["waits"] * 6 + ["leaves", "is late", "is cancelled"]),
    )
    return draw(st.lists(request, min_size=1, max_size=25))


WHY: dict[str, type[Exception]] = {"leaves": ClientGone, "is late": DeadlinePassed}

rules = st.builds(
    BatchingRules,
    limits=st.builds(BatchLimits, rows=st.integers(1, 8), tokens=st.integers(1, 300), padding=st.floats(0, 1)),
    queue_rows=st.integers(9, 60),
    max_delay_s=st.sampled_from([0.0, 0.002]),
    spare_core=st.booleans(),
)


@settings(deadline=None, max_examples=150)
@given(requests(), rules, st.sampled_from([0.0, 0.001]))
def test_every_request_gets_its_own_rows_back_or_its_own_failure(arrivals, rules, compute_s):
    seen: list[list[Text]] = []

    def recorded(rows: list[Text]) -> np.ndarray:
        seen.append(rows)
        time.sleep(compute_s)
        return compute(rows)

    async def ask(batcher: Batcher[Text], request: Request) -> object:
        deadline = asyncio.get_running_loop().time() - 1 if request.fate == "is late" else None
        gone = (lambda: True) if request.fate == "leaves" else None
        return await batcher.submit(request.rows, deadline=deadline, gone=gone)

    async def body() -> list[object]:
        batcher: Batcher[Text] = Batcher(recorded, rules, tokens_of=lambda row: row.tokens)
        tasks = []
        for request in arrivals:
            for _ in range(request.turns_before):
                await asyncio.sleep(0)
            tasks.append(asyncio.ensure_future(ask(batcher, request)))
            if request.fate == "is cancelled":
                await asyncio.sleep(0)
                tasks[-1].cancel()
        answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=20)
        await asyncio.wait_for(batcher.drain(), timeout=5)
        assert batcher.waiting_rows == 0
        with pytest.raises(Draining):
            await batcher.submit([Text(0, 1, False)])
        batcher.close()
        return answers

    for request, answer in zip(arrivals, asyncio.run(body()), strict=True):
        check(request, answer, computed={row for batch in seen for row in batch})
    for batch in seen:
        lengths = [row.tokens for row in batch]
        assert rules.limits.admit(len(batch), max(lengths), sum(lengths))


def check(request: Request, answer: object, computed: set[Text]) -> None:
    """The answer is the one that the request's fate allows, and nothing was computed in vain."""
    if isinstance(answer, (QueueFull, ClientGone, DeadlinePassed)):
        assert computed.isdisjoint(request.rows)
        assert isinstance(answer, QueueFull | WHY.get(request.fate, QueueFull))
    elif isinstance(answer, asyncio.CancelledError):
        assert request.fate == "is cancelled"
    elif isinstance(answer, InferenceError):
        assert any(row.poison for row in request.rows)
    else:
        assert request.fate not in WHY
        assert isinstance(answer, np.ndarray)
        assert answer.tolist() == [[row.number, row.tokens] for row in request.rows]


def test_ten_thousand_random_batches_answer_as_one_by_one(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    rng = np.random.default_rng(20261124)
    words = ["good", "bad", "plain", "film", "day", "the", "not", "slow", "unheard"]
    texts = [" ".join(rng.choice(words, rng.integers(1, 14))) for _ in range(400)]
    encoded = engine.encode(texts)
    alone = np.concatenate([engine.probabilities([row]) for row in encoded])
    batches = 0

    def counted(rows: list[EncodedText]) -> np.ndarray:
        nonlocal batches
        batches += 1
        return engine.probabilities(rows)

    async def client(batcher: Batcher[EncodedText], seed: int) -> float:
        own, worst = np.random.default_rng(seed), 0.0
        while batches < 10_000:
            rows = own.integers(0, len(texts), own.integers(1, 7))
            answer = await batcher.submit([encoded[row] for row in rows])
            worst = max(worst, float(np.abs(answer - alone[rows]).max()))
        return worst

    async def body() -> float:
        rules = BatchingRules(limits=BatchLimits(rows=16, tokens=512), queue_rows=10_000)
        batcher: Batcher[EncodedText] = Batcher(counted, rules, tokens_of=EncodedText.__len__)
        worst = max(await asyncio.gather(*(client(batcher, seed) for seed in range(12))))
        batcher.close()
        return worst

    assert asyncio.run(body()) < 1e-6
    assert batches >= 10_000
