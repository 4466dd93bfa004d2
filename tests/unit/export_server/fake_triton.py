"""As much of `triton_python_backend_utils` as an exported model.py calls, so that it runs in the tests' own process.

A real tritonserver runs the same file in tests/integration/test_export_triton.py, where one is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

TRITONSERVER_MEMORY_CPU = 0


class Tensor:
    def __init__(self, name: str, value: np.ndarray) -> None:
        self.name, self._value = name, value

    def as_numpy(self) -> np.ndarray:
        return self._value


class TritonError:
    INTERNAL, INVALID_ARG = 2, 3

    def __init__(self, message: str, code: int) -> None:
        self._message, self.code = message, code

    def message(self) -> str:
        return self._message


class InferenceResponse:
    def __init__(self, output_tensors: list[Tensor], error: TritonError | None = None) -> None:
        self.outputs, self._error = {each.name: each.as_numpy() for each in output_tensors}, error

    def error(self) -> TritonError:
        assert self._error is not None
        return self._error

    def has_error(self) -> bool:
        return self._error is not None


class PreferredMemory:
    def __init__(self, memory: int, device: int) -> None:
        self.memory = memory


class InferenceRequest:
    """A call of another model of the repository, which ``models`` answers."""

    models: ClassVar[dict[str, Callable[[dict[str, np.ndarray]], InferenceResponse]]] = {}

    def __init__(
        self,
        model_name: str,
        requested_output_names: list[str],
        inputs: list[Tensor],
        preferred_memory: PreferredMemory,
    ) -> None:
        self._name, self._inputs = model_name, {each.name: each.as_numpy() for each in inputs}

    def exec(self) -> InferenceResponse:
        return self.models[self._name](self._inputs)


def get_input_tensor_by_name(request: dict[str, np.ndarray], name: str) -> Tensor:
    return Tensor(name, request[name])


def get_output_tensor_by_name(response: InferenceResponse, name: str) -> Tensor:
    return Tensor(name, response.outputs[name])


def opened(model_py: Path, monkeypatch: Any, *, kind: str = "CPU") -> tuple[Any, ModuleType]:
    """An exported model, initialised as Triton would; with it the module that stands for Triton."""
    here = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", here)
    spec = importlib.util.spec_from_file_location("exported_model", model_py)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.TritonPythonModel()
    config = '{"parameters": {"threads": {"string_value": "1"}}}'
    model.initialize({"model_config": config, "model_instance_kind": kind, "model_instance_device_id": "0"})
    return model, here


def request(texts: list[bytes]) -> dict[str, np.ndarray]:
    """A request as the Python backend sees it: BYTES of shape [texts, 1]."""
    return {"text": np.array(texts, dtype=np.object_).reshape(-1, 1)}
