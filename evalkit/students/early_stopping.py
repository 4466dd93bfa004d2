"""Training rows held back to say when a student stops getting better, and the best weights so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import StageError

HELD_BACK = 1


def split(texts: Sequence[str], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to train on and row numbers held back: about ``share`` of the distinct texts.

    Rows of equal text lie on one side, so that nothing held back was trained on. Raises StageError where no text
    would be left on a side.

    >>> trained, held_back = split(["a", "b", "a", "c"], 0.3, seed=1)
    >>> len(trained) + len(held_back), len(split(["a", "b"], 0.0, seed=1)[1])
    (4, 0)
    """
    if share == 0.0:
        return np.arange(len(texts), dtype=np.int64), np.empty(0, dtype=np.int64)
    numbers: dict[str, int] = {}
    of_text = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
    count = max(1, round(share * len(numbers)))
    if count >= len(numbers):
        raise StageError(
            f"held_back {share:g} of {len(numbers)} distinct training texts leaves none to train on; give more texts "
            "or hold back fewer"
        )
    chosen = np.random.default_rng([seed, HELD_BACK]).permutation(len(numbers))[:count]
    aside = np.isin(of_text, chosen)
    return np.flatnonzero(~aside), np.flatnonzero(aside)


@dataclass(slots=True)
class EarlyStopping:
    """``weights`` are those of the epoch with the lowest loss on the held-back rows."""

    patience: int
    loss: float = math.inf
    epoch: int = 0
    """The best epoch, counted from 1; 0 before the first."""
    seen: int = 0
    weights: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether ``patience`` epochs in a row were no better than the best."""
        return self.seen - self.epoch >= self.patience

    def better(self, loss: float) -> bool:
        """Counts one more epoch; whether it is the best so far, so that its weights are to be kept."""
        self.seen += 1
        if loss >= self.loss:
            return False
        self.loss, self.epoch = loss, self.seen
        return True

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"loss": self.loss, "epoch": self.epoch, "seen": self.seen, "weights": self.weights}

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on from what a checkpoint kept."""
        self.loss, self.epoch, self.seen = state["loss"], state["epoch"], state["seen"]
        self.weights = state["weights"]
