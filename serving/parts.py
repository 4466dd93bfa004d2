"""A request's rows, cut into parts that each fit one batch, and what becomes of a part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from serving.errors import ServingError

Row = TypeVar("Row")


class DeadlinePassed(ServingError):
    """Nobody wants the answer any more: the request's deadline passed while it waited."""


class ClientGone(ServingError):
    """Nobody wants the answer any more: the client left while its request waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """How large a batch may be, and how unlike its rows.

    Attributes:
        rows: no batch has more.
        tokens: no batch has more, padding included, except for one row that is longer on its own.
        padding: the share of a batch's tokens that may be padding. A row that would bring in more waits for the
            next batch.
    """

    rows: int
    tokens: int
    padding: float = 0.25

    def admit(self, rows: int, longest: int, real_tokens: int) -> bool:
        """Whether a batch of so many rows, padded to `longest`, of `real_tokens` before padding, is within limits."""
        padded = rows * longest
        return rows == 1 or (
            rows <= self.rows and padded <= self.tokens and padded - real_tokens <= self.padding * padded
        )


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[Row]):
    """Rows of one request that fit one batch, and where their answer goes."""

    rows: list[Row]
    longest: int
    real_tokens: int
    answer: asyncio.Future[np.ndarray]
    arrived: float
    deadline: float | None
    gone: Callable[[], bool] | None

    def why_unwanted(self, now: float) -> str | None:
        """Why nobody waits for the answer any more, at the loop's time `now`; who still listens is told."""
        if self.answer.done():
            return "client gone"
        if self.deadline is not None and now > self.deadline:
            self.answer.set_exception(DeadlinePassed("the deadline passed before the texts were computed"))
            return "deadline passed"
        if self.gone is not None and self.gone():
            self.answer.set_exception(ClientGone("the client left before the texts were computed"))
            return "client gone"
        return None


def cut(tokens: Sequence[int], limits: BatchLimits) -> list[list[int]]:
    """The rows of one request by number, in parts that are each within the limits: `tokens` [n] says how long each is.

    Rows of like length fall together; each part is in rising order of length.

    >>> cut([5, 40, 6, 41], BatchLimits(rows=16, tokens=1000))
    [[0, 2], [1, 3]]
    """
    if len(tokens) == 1:
        return [[0]]
    parts: list[list[int]] = []
    real = 0
    for row in sorted(range(len(tokens)), key=tokens.__getitem__):
        if parts and limits.admit(len(parts[-1]) + 1, tokens[row], real + tokens[row]):
            parts[-1].append(row)
            real += tokens[row]
        else:
            parts.append([row])
            real = tokens[row]
    return parts


async def joined(answers: Sequence[asyncio.Future[np.ndarray]], order: Sequence[Sequence[int]]) -> np.ndarray:
    """A request's answer in the order of its rows; `order` says which rows each part has.

    When one part fails or the caller leaves, the others are dropped.
    """
    if len(answers) == 1 and len(order[0]) == 1:
        return await answers[0]
    try:
        values = np.concatenate(await asyncio.gather(*answers))
    except BaseException:
        for answer in answers:
            answer.cancel()
        raise
    in_order = np.empty_like(values)
    in_order[[row for rows in order for row in rows]] = values
    return in_order
