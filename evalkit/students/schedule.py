"""How long and how fast a student is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``warmup`` is the share of steps with a rising rate; a step takes ``batch_rows`` · ``accumulate`` rows."""

    epochs: int
    learning_rate: float
    batch_rows: int
    """Rows of one forward pass."""
    max_length: int
    seed: int
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    accumulate: int = 1
    """Forward passes whose gradients make one step."""
    held_back: float = 0.0
    """Share of the training texts that is not trained on and says when to stop; 0 trains on all, to the end."""
    patience: int = 2
    """Epochs in a row without a lower loss on the held-back rows after which training stops."""
    checkpoint_steps: int = 500
    """A checkpoint is written after so many steps, and after each epoch."""

    @property
    def step_rows(self) -> int:
        """Rows that one step of the optimiser takes."""
        return self.batch_rows * self.accumulate


def rate(steps: int, warmup: float) -> Callable[[int], float]:
    """Share of the learning rate at a step: rising linearly for ``warmup`` of ``steps``, then half a cosine.

    >>> [round(rate(10, 0.2)(step), 3) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(steps * warmup))

    def at(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))

    return at
