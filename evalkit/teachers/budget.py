"""What the labelling has used and may still use: nothing is sent that might exceed the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from evalkit.spec.loading import canonical_json
from evalkit.spec.teacher_api import ApiBudget, ApiPrices
from evalkit.teachers.errors import BudgetSpent

TEMPLATE_TOKENS = 64
"""What a chat template may add to the messages."""
TYPICAL_BYTES_PER_TOKEN = 4


def most_input_tokens(body: Mapping[str, Any]) -> int:
    """Tokens of a request at most: a byte-level tokenizer makes no more tokens than there are bytes."""
    return len(canonical_json(body["messages"]).encode()) + TEMPLATE_TOKENS


def usd_of(prices: ApiPrices | None, input_tokens: int, output_tokens: int) -> float | None:
    """The price of some tokens; None where no prices are stated."""
    if prices is None:
        return None
    return (input_tokens * prices.usd_per_million_input + output_tokens * prices.usd_per_million_output) / 1e6


def most_usd(prices: ApiPrices | None, body: Mapping[str, Any]) -> float:
    """What one request can cost at most; 0 without prices."""
    return usd_of(prices, most_input_tokens(body), int(body["max_tokens"])) or 0.0


class Ledger:
    """Requests and dollars used so far, answers kept earlier included. The dollars of a request under way are held
    back at their most until it is known what it cost."""

    def __init__(self, budget: ApiBudget | None, requests: int, usd: float) -> None:
        self._most_requests = None if budget is None else budget.requests
        self._most_usd = None if budget is None else budget.usd
        self._requests, self._usd = requests, usd
        self._held, self._under_way = 0.0, 0
        self._settled = asyncio.Condition()

    @property
    def usd(self) -> float:
        return self._usd

    async def reserve(self, most: float) -> None:
        """Takes a request that costs ``most`` dollars at most, or waits until those under way have left enough.

        Raises BudgetSpent where they have not."""
        async with self._settled:
            await self._settled.wait_for(lambda: self._fits(most) or not self._under_way)
            if not self._fits(most):
                raise BudgetSpent(self._spent(most))
            self._requests += 1
            self._held += most
            self._under_way += 1

    async def settle(self, most: float, usd: float) -> None:
        """A request that was reserved at ``most`` has ended and cost ``usd``."""
        async with self._settled:
            self._held -= most
            self._usd += usd
            self._under_way -= 1
            self._settled.notify_all()

    def _fits(self, most: float) -> bool:
        return self._one_more() and (self._most_usd is None or self._usd + self._held + most <= self._most_usd)

    def _one_more(self) -> bool:
        return self._most_requests is None or self._requests < self._most_requests

    def _spent(self, most: float) -> str:
        if not self._one_more():
            return (
                f"teacher.api.budget.requests {self._most_requests} is used up; what was answered is kept: raise it "
                "and run again"
            )
        return (
            f"teacher.api.budget.usd {self._most_usd:g} would be exceeded: {self._usd:.4f} USD are spent, and the "
            f"next request costs up to {most:.4f}; what was answered is kept: raise it and run again"
        )
