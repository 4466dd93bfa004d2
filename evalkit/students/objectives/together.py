"""Several losses as one: the sum of all their terms is minimised."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from evalkit.students.loss import Batch, Loss


class Together:
    """The terms of every loss; a name that comes again is numbered."""

    def __init__(self, losses: Sequence[Loss]) -> None:
        self._losses = tuple(losses)
        self.modules = nn.ModuleList(each.modules for each in self._losses)
        self.asks = frozenset[str]().union(*(each.asks for each in self._losses))

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for number, loss in enumerate(self._losses, start=1):
            for name, value in loss(batch).items():
                terms[name if name not in terms else f"{name} ({number})"] = value
        return terms
