"""Where a training runs, by accelerate's configuration: one CPU, one GPU, or processes that share each batch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """One process of a training. Every process holds the whole student, sees every batch and takes its share of it."""

    accelerator: Any

    @property
    def device(self) -> torch.device:
        device: torch.device = self.accelerator.device
        return device

    @property
    def number(self) -> int:
        """This process, counted from 0."""
        return int(self.accelerator.process_index)

    @property
    def processes(self) -> int:
        return int(self.accelerator.num_processes)

    @property
    def precision(self) -> str:
        """bf16 or fp32: what the forward pass computes in. Weights and losses are fp32."""
        return "bf16" if self.accelerator.mixed_precision == "bf16" else "fp32"

    def forward(self, model: Any, inputs: dict[str, Tensor], asked: dict[str, bool]) -> Any:
        """The model's output, in fp32."""
        with self.accelerator.autocast():
            outputs = model(**inputs, **asked)
        if self.precision == "fp32":
            return outputs
        from accelerate.utils import convert_to_fp32  # type: ignore[import-untyped]

        return convert_to_fp32(outputs)

    def start_equal(self, weights: list[nn.Parameter]) -> None:
        """Every process starts from the weights of the first."""
        if self.processes > 1:
            from accelerate.utils import broadcast

            for each in weights:
                broadcast(each.data)

    def sum_gradients(self, weights: list[nn.Parameter]) -> None:
        """Every process gets the gradients of the whole batch: the sum over processes."""
        if self.processes == 1:
            return
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in weights]
        summed = self.accelerator.reduce(torch.cat([each.flatten() for each in gradients]), reduction="sum")
        pieces = summed.split([each.numel() for each in weights])
        for each, piece in zip(weights, pieces, strict=True):
            each.grad = piece.view_as(each)

    def of_all(self, value: Any) -> list[Any]:
        """What each process holds, in the order of their numbers."""
        if self.processes == 1:
            return [value]
        from accelerate.utils import gather_object

        gathered: list[Any] = gather_object([value])
        return gathered

    def own_randomness(self) -> AbstractContextManager[None]:
        """torch's generators are put back afterwards, as they were."""
        return torch.random.fork_rng([self.device] if self.device.type == "cuda" else [])

    def random_state(self) -> Tensor:
        """Of the generator that dropout on this device draws from."""
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else torch.get_rng_state()

    def set_random_state(self, state: Tensor) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)


def is_first() -> bool:
    """Whether this process is the one that writes what the training made."""
    return open_devices().number == 0


def open_devices() -> Devices:
    """An NVIDIA GPU where there is one, in bf16 if it computes in that; otherwise the CPU."""
    from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]

    state = PartialState(cpu=not torch.cuda.is_available())
    bf16 = state.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Devices(accelerator=Accelerator(cpu=state.device.type == "cpu", mixed_precision="bf16" if bf16 else "no"))
