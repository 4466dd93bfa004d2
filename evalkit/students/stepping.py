"""One step of the optimiser: a batch forward in pieces, its gradients summed, clipped and applied."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evalkit.errors import StageError
from evalkit.modelling.batches import pad
from evalkit.modelling.loading import TextClassifier
from evalkit.students.devices import Devices
from evalkit.students.loss import Batch, Loss
from evalkit.students.schedule import Schedule, rate

SHOWN_ROWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Rows of the training table through the student and its loss."""

    classifier: TextClassifier
    loss: Loss
    ids: list[list[int]]
    devices: Devices

    def terms(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """The loss's terms on ``rows``."""
        padded = pad([self.ids[row] for row in rows], self.classifier.tokenizer.pad_token_id)
        inputs = {name: each.to(self.devices.device) for name, each in padded.items()}
        outputs = self.devices.forward(self.classifier.model, inputs, dict.fromkeys(sorted(self.loss.asks), True))
        return self.loss(Batch(rows=rows, inputs=inputs, outputs=outputs))


def total(terms: dict[str, Tensor]) -> Tensor:
    """What is minimised."""
    return functools.reduce(operator.add, terms.values())


class Stepper:
    """Trains what the student and the loss's modules have to train."""

    def __init__(self, forward: Forward, schedule: Schedule, steps: int) -> None:
        self._forward, self._schedule, self._steps = forward, schedule, steps
        both = (forward.classifier.model, forward.loss.modules)
        self.weights: list[nn.Parameter] = [each for one in both for each in one.parameters() if each.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self.weights,
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            fused=True,  # on a CPU six times faster than the loop, and most of a small student's step is the optimiser
        )
        self._rates = torch.optim.lr_scheduler.LambdaLR(self._optimiser, rate(steps, schedule.warmup))

    def take(self, rows: NDArray[np.int64], step: int) -> dict[str, float]:
        """One step on ``rows``; returns its terms, means over the rows.

        Raises StageError, before any weight is changed, where the loss or its gradient is not finite.
        """
        devices = self._forward.devices
        self._optimiser.zero_grad(set_to_none=True)
        terms: dict[str, float] = {}
        fault: str | None = None
        for start in range(0, len(rows), self._schedule.batch_rows):
            mine = rows[start : start + self._schedule.batch_rows][devices.number :: devices.processes]
            if len(mine) == 0:
                continue
            found, fault = self._backward(mine, len(mine) / len(rows))
            if fault is not None:
                break
            terms = _added(terms, found)
        self._refuse(next((each for each in devices.of_all(fault) if each is not None), None), step)
        devices.sum_gradients(self.weights)
        norm = torch.nn.utils.clip_grad_norm_(self.weights, self._schedule.clip).item()
        if not math.isfinite(norm):
            self._refuse(f"gradient is {norm} {_named(rows)}", step)
        self._optimiser.step()
        self._rates.step()
        return functools.reduce(_added, devices.of_all(terms))

    def _backward(self, rows: NDArray[np.int64], share: float) -> tuple[dict[str, float], str | None]:
        """The terms, weighted with ``share`` of the step's rows, or what is wrong with them."""
        terms = self._forward.terms(rows)
        value = total(terms)
        values = {name: each.item() for name, each in terms.items()}
        if not math.isfinite(value.item()):
            name = next((name for name, each in values.items() if not math.isfinite(each)), "the sum of all terms")
            return {}, f"loss is {value.item()} ({name}) {_named(rows)}"
        (value if share == 1.0 else value * share).backward()
        return {name: each * share for name, each in values.items()}, None

    def _refuse(self, fault: str | None, step: int) -> None:
        if fault is not None:
            raise StageError(
                f"training stops at step {step} of {self._steps}: {fault}; look at these rows, or lower the learning "
                f"rate ({self._schedule.learning_rate})"
            )

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"optimiser": self._optimiser.state_dict(), "rates": self._rates.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on from what a checkpoint kept."""
        self._optimiser.load_state_dict(state["optimiser"])
        self._rates.load_state_dict(state["rates"])


def _added(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in (first | second)}


def _named(rows: NDArray[np.int64]) -> str:
    """Row numbers of the training table, counted from 0."""
    shown = ", ".join(str(row) for row in sorted(rows)[:SHOWN_ROWS])
    more = len(rows) - SHOWN_ROWS
    return f"on rows {shown}" + (f" and {more} more" if more > 0 else "")
