"""The training loop: batches of like length, AdamW, warm-up then cosine, early stopping, checkpoints, any loss."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evalkit.errors import StageError
from evalkit.modelling.batches import in_length_order, shuffled_by_length, tokenise
from evalkit.modelling.loading import TextClassifier
from evalkit.students.checkpoint import Checkpoints
from evalkit.students.devices import Devices, open_devices
from evalkit.students.early_stopping import EarlyStopping, split
from evalkit.students.loss import Loss
from evalkit.students.schedule import Schedule
from evalkit.students.stepping import Forward, Stepper, total

REPORTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``loss`` and its ``terms`` are means over the steps since the last report."""

    step: int
    steps: int
    loss: float
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training was. ``loss`` and its ``terms`` are means over the last epoch that was trained."""

    loss: float
    terms: dict[str, float]
    epochs: int
    steps: int
    device: str
    precision: str
    processes: int
    held_back_rows: int = 0
    held_back_loss: float | None = None
    """Of the best epoch, whose weights the student has; None where no rows were held back."""
    best_epoch: int | None = None
    """Counted from 1."""
    resumed_at: int | None = None
    """The step of the checkpoint that it went on from."""

    def facts(self) -> dict[str, Any]:
        """For the record: rounded, and without what did not apply."""
        terms = {f"last_epoch_{name}": round(each, 5) for name, each in self.terms.items()}
        stopping = {
            "held_back_rows": self.held_back_rows,
            "held_back_loss": None if self.held_back_loss is None else round(self.held_back_loss, 5),
            "best_epoch": self.best_epoch,
        }
        return {
            "epochs": self.epochs,
            "steps": self.steps,
            "last_epoch_loss": round(self.loss, 5),
            **(terms if len(terms) > 1 else {}),
            **(stopping if self.held_back_rows else {}),
            **({} if self.resumed_at is None else {"resumed_at_step": self.resumed_at}),
            "trained_on": f"{self.device} ({self.precision})" + (f" × {self.processes}" if self.processes > 1 else ""),
        }


def train(
    classifier: TextClassifier,
    texts: Sequence[str],
    loss: Loss,
    schedule: Schedule,
    on_progress: Callable[[Progress], None],
    *,
    checkpoints: Path | None = None,
) -> Trained:
    """Trains ``classifier.model`` and ``loss.modules`` in place.

    Runs where accelerate's configuration says: on one CPU, one GPU, or in several processes that share each batch.
    ``checkpoints`` is a folder of this training's own: killed and called again with the same arguments, it goes on
    from there. The same inputs, seed and number of threads give the same weights on a CPU, killed or not.

    Raises StageError where a loss or a gradient is not finite, naming step, term and rows, with the last checkpoint
    kept; where a checkpoint cannot be written, or is of another training; and where several processes hold different
    weights.
    """
    devices = open_devices()
    loop = _Loop(classifier, texts, loss, schedule, devices)
    with devices.own_randomness():
        torch.manual_seed(schedule.seed + devices.number)
        loop.run(on_progress, checkpoints)
    return loop.result()


class _Loop:
    """A training between two of its steps: everything that the rest of it depends on."""

    def __init__(
        self, classifier: TextClassifier, texts: Sequence[str], loss: Loss, schedule: Schedule, devices: Devices
    ) -> None:
        self._schedule, self._devices = schedule, devices
        self._parts = {"model": classifier.model, "modules": loss.modules}
        ids = tokenise(classifier.tokenizer, texts, schedule.max_length)
        self._ids, self._lengths = ids, np.array([len(row) for row in ids], dtype=np.int64)
        self._trained, self._held_back = split(texts, schedule.held_back, schedule.seed)
        self._steps = schedule.steps(len(self._trained))
        for part in self._parts.values():
            part.to(devices.device)
        self._forward = Forward(classifier=classifier, loss=loss, ids=ids, devices=devices)
        self._stepper = Stepper(self._forward, schedule, self._steps)
        devices.start_equal(self._stepper.weights)
        self._stopping = EarlyStopping(patience=schedule.patience)
        self._rng = np.random.default_rng(schedule.seed)
        self._epoch_start = self._rng.bit_generator.state
        self._epoch, self._batch, self._step = 0, 0, 0
        self._losses: list[dict[str, float]] = []
        self._resumed_at: int | None = None

    def run(self, on_progress: Callable[[Progress], None], folder: Path | None) -> None:
        checkpoints = None
        if folder is not None:
            checkpoints = Checkpoints(folder=folder, fingerprint=self._fingerprint())
            self._resume(checkpoints.latest())
        self._refuse_apart("before the first step")
        self._train_mode(True)
        while not self._finished:
            self._run_epoch(on_progress, checkpoints)
        if self._stopping.weights:
            self._load(self._stopping.weights)
        self._train_mode(False)
        for part in self._parts.values():
            part.to("cpu")
        self._refuse_apart("after the last step")

    def result(self) -> Trained:
        stopping = self._stopping if len(self._held_back) else None
        terms = _means(self._losses)
        return Trained(
            loss=sum(terms.values()),
            terms=terms,
            epochs=self._epoch,
            steps=self._step,
            device=str(self._devices.device),
            precision=self._devices.precision,
            processes=self._devices.processes,
            held_back_rows=len(self._held_back),
            held_back_loss=None if stopping is None else stopping.loss,
            best_epoch=None if stopping is None else stopping.epoch,
            resumed_at=self._resumed_at,
        )

    @property
    def _finished(self) -> bool:
        return self._step == self._steps or (len(self._held_back) > 0 and self._stopping.done)

    def _run_epoch(self, on_progress: Callable[[Progress], None], checkpoints: Checkpoints | None) -> None:
        self._epoch_start = self._rng.bit_generator.state
        order = list(shuffled_by_length(self._lengths[self._trained], self._schedule.step_rows, self._rng))
        if self._batch == 0:
            self._losses = []
        for batch in order[self._batch : self._batch + self._steps - self._step]:
            self._losses.append(self._stepper.take(self._trained[batch], self._step + 1))
            self._step, self._batch = self._step + 1, self._batch + 1
            if self._step % REPORTED == 0 or self._step == self._steps:
                self._report(on_progress)
            if self._step % self._schedule.checkpoint_steps == 0 and self._batch < len(order):
                self._save(checkpoints)
        self._epoch, self._batch = self._epoch + 1, 0
        self._epoch_start = self._rng.bit_generator.state
        if len(self._held_back):
            self._look_at_held_back()
        self._save(checkpoints)

    def _report(self, on_progress: Callable[[Progress], None]) -> None:
        if self._devices.number == 0:
            terms = _means(self._losses[-REPORTED:])
            on_progress(Progress(step=self._step, steps=self._steps, loss=sum(terms.values()), terms=terms))

    def _look_at_held_back(self) -> None:
        self._train_mode(False)
        with torch.no_grad():
            summed = 0.0
            for at in in_length_order(self._lengths[self._held_back], self._schedule.batch_rows):
                summed += total(self._forward.terms(self._held_back[at])).item() * len(at)
        self._train_mode(True)
        loss = float(self._devices.of_all(summed / len(self._held_back))[0])
        if not math.isfinite(loss):
            raise StageError(
                f"the loss on the {len(self._held_back)} held-back rows is {loss} after epoch {self._epoch}; lower the "
                f"learning rate ({self._schedule.learning_rate})"
            )
        if self._stopping.better(loss):
            self._stopping.weights = {
                name: {key: each.detach().to("cpu", copy=True) for key, each in part.state_dict().items()}
                for name, part in self._parts.items()
            }

    def _train_mode(self, on: bool) -> None:
        for part in self._parts.values():
            part.train(on)

    def _load(self, weights: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(weights[name])

    def _save(self, checkpoints: Checkpoints | None) -> None:
        if checkpoints is None:
            return
        random = self._devices.of_all(self._devices.random_state())
        if self._devices.number > 0:
            return
        checkpoints.write(
            self._step,
            {
                "weights": {name: part.state_dict() for name, part in self._parts.items()},
                "stepper": self._stepper.state(),
                "stopping": self._stopping.state(),
                "random": random,
                "generator": self._epoch_start,
                "position": {"epoch": self._epoch, "batch": self._batch, "step": self._step},
                "losses": self._losses,
            },
        )

    def _resume(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self._load(state["weights"])
        self._stepper.resume(state["stepper"])
        self._stopping.resume(state["stopping"])
        self._devices.set_random_state(state["random"][self._devices.number])
        self._rng.bit_generator.state = state["generator"]
        at = state["position"]
        self._epoch, self._batch, self._step = at["epoch"], at["batch"], at["step"]
        self._losses = state["losses"]
        self._resumed_at = self._step

    def _refuse_apart(self, when: str) -> None:
        """Raises StageError where the processes do not hold the same student: only one of them is written."""
        if self._devices.processes > 1 and len(set(self._devices.of_all(self._fingerprint()))) > 1:
            raise StageError(
                f"the {self._devices.processes} processes of the training hold different students {when}; train with "
                "student.distill.processes: 1"
            )

    def _fingerprint(self) -> str:
        """Names the training: its schedule, its texts, the weights it starts from, and how many processes share it."""
        schedule = replace(self._schedule, checkpoint_steps=1)
        digest = hashlib.sha256(repr((schedule, self._devices.processes, self._lengths.tolist())).encode())
        digest.update(np.fromiter(chain.from_iterable(self._ids), dtype=np.int64).tobytes())
        for part in self._parts.values():
            for name, each in part.state_dict().items():
                digest.update(name.encode())
                digest.update(each.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def _means(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each term over the steps."""
    return {name: float(np.mean([step[name] for step in losses])) for name in (losses[0] if losses else ())}
