"""Runs a session on buffers that stay on the device, so that a batch costs one copy in and one copy out.

Without them each run allocates its inputs and outputs on the device anew. Buffers have fixed shapes, so a batch is
filled up to the next of a few shapes: rows to a power of two, tokens to a multiple of 16. A row that only fills up
is one padding token that is attended to, so that no row is without any.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

_TOKENS_STEP = 16
# Shapes kept at once. With rows up to 64 and tokens up to 512 there are 7 · 32; traffic uses few of them.
_MOST_SHAPES = 64


@dataclass(frozen=True, slots=True)
class _Bound:
    binding: Any
    inputs: dict[str, Any]


class DeviceBuffers:
    """Input buffers by shape, and an output the session places on the same device.

    Args:
        session: an open onnxruntime session.
        inputs: the names of its int64 inputs [rows, tokens].
        output: the name of the output to fetch, [rows, …].
        device: where the buffers lie, `cuda` or `cpu`.

    One caller at a time.
    """

    def __init__(self, session: ort.InferenceSession, inputs: list[str], output: str, device: str) -> None:
        self._session = session
        self._names = inputs
        self._output = output
        self._device = device
        self._bound: OrderedDict[tuple[int, int], _Bound] = OrderedDict()

    @property
    def shapes(self) -> int:
        """How many shapes have buffers at the moment."""
        return len(self._bound)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """The output of one batch, its filled-up rows cut off; `inputs` are int64 [rows, tokens]."""
        rows, tokens = inputs["input_ids"].shape
        shape = _next_power_of_two(rows), -(-tokens // _TOKENS_STEP) * _TOKENS_STEP
        bound = self._bound_for(shape)
        for name in self._names:
            bound.inputs[name].update_inplace(_filled(inputs[name], shape, attended=name == "attention_mask"))
        self._session.run_with_iobinding(bound.binding)
        (output,) = bound.binding.copy_outputs_to_cpu()
        answer: np.ndarray = output[:rows]
        return answer

    def _bound_for(self, shape: tuple[int, int]) -> _Bound:
        if shape in self._bound:
            self._bound.move_to_end(shape)
            return self._bound[shape]
        binding = self._session.io_binding()
        values = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(shape, np.int64, self._device, 0) for name in self._names
        }
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(self._output, self._device, 0)
        self._bound[shape] = _Bound(binding, values)
        if len(self._bound) > _MOST_SHAPES:
            self._bound.popitem(last=False)
        return self._bound[shape]


def _filled(values: np.ndarray, shape: tuple[int, int], *, attended: bool) -> np.ndarray:
    """`values` [rows, tokens] in the upper left of a larger array of zeros; where `attended`, each row that was
    added has a one in front."""
    if values.shape == shape:
        return values
    filled = np.zeros(shape, dtype=np.int64)
    filled[: len(values), : values.shape[1]] = values
    if attended:
        filled[len(values) :, 0] = 1
    return filled


def _next_power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
