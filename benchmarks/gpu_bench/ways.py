"""The ways to get logits for a batch of token ids: each takes arrays in the computer's memory and gives one back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

Feeds = Mapping[str, np.ndarray]
Way = Callable[[Feeds], np.ndarray]
CUDA, CPU = "cuda", "cpu"
_PROVIDERS = {CUDA: "CUDAExecutionProvider", CPU: "CPUExecutionProvider"}


def open_session(path: Path, device: str) -> ort.InferenceSession:
    """A plain session on the device. Raises SystemExit where it runs on another."""
    if device == CUDA:
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    found = session.get_providers()
    if _PROVIDERS[device] not in found:
        raise SystemExit(f"{_PROVIDERS[device]} was asked for, but the session runs on {', '.join(found)}")
    session.disable_fallback()
    return session


def session_run(session: ort.InferenceSession) -> Way:
    """``session.run``: ONNX Runtime copies inputs and outputs by itself."""

    def run(feeds: Feeds) -> np.ndarray:
        (logits,) = session.run(None, dict(feeds))
        return np.asarray(logits, dtype=np.float32)

    return run


def io_binding(session: ort.InferenceSession, device: str, shape: tuple[int, int], labels: int) -> Way:
    """Buffers of a fixed shape on the device, bound once and filled for each batch."""
    binding = session.io_binding()
    inputs = {item.name: _buffer(shape, np.int64, device) for item in session.get_inputs()}
    for name, buffer in inputs.items():
        binding.bind_ortvalue_input(name, buffer)
    output = _buffer((shape[0], labels), np.float32, device)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, output)

    def run(feeds: Feeds) -> np.ndarray:
        for name, buffer in inputs.items():
            buffer.update_inplace(feeds[name])
        session.run_with_iobinding(binding)
        return np.asarray(output.numpy())

    return run


def _buffer(shape: tuple[int, int], kind: type, device: str) -> Any:
    return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), kind, device, 0)


def torch_eager(model: Any, device: str) -> Way:
    """The module as it is, on the device, in its own precision."""
    import torch

    def run(feeds: Feeds) -> np.ndarray:
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(value).to(device) for name, value in feeds.items()}
            logits: np.ndarray = model(**inputs).logits.float().cpu().numpy()
        return logits

    return run


def torch_compiled(model: Any, device: str) -> Way:
    """``torch.compile`` in the mode that its documentation gives for small batches (CUDA graphs on a GPU)."""
    import torch
    from torch._dynamo import config

    config.recompile_limit = 64  # one graph for each shape, and never silently none
    config.fail_on_recompile_limit_hit = True
    return torch_eager(torch.compile(model, mode="reduce-overhead", dynamic=False), device)
