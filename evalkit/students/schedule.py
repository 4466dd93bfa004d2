"""How long and how fast a student is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from evalkit.spec.distill import Distill


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
    most_steps: int | None = None
    """Training ends after so many steps, within an epoch where need be; None: after the last epoch."""
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

    def steps(self, rows: int) -> int:
        """Steps that this training takes on so many rows, where nothing stops it early.

        >>> Schedule(epochs=3, learning_rate=1e-3, batch_rows=32, max_length=64, seed=1).steps(rows=100)
        12
        """
        steps = self.epochs * math.ceil(rows / self.step_rows)
        return steps if self.most_steps is None else min(steps, self.most_steps)


def schedule_of(distill: Distill, seed: int) -> Schedule:
    """The schedule that the spec states."""
    return Schedule(
        epochs=distill.epochs,
        most_steps=distill.steps,
        learning_rate=distill.learning_rate,
        batch_rows=distill.batch_rows,
        max_length=distill.max_length,
        seed=seed,
        accumulate=distill.accumulate,
        held_back=distill.held_back,
        patience=distill.patience,
        checkpoint_steps=distill.checkpoint_steps,
    )


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
