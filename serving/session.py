"""Opens an onnxruntime session with stated options, on the provider that was asked for and no other."""

from __future__ import annotations

import contextlib
import ctypes
import io
from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from serving.errors import ModelFolderError, ProviderError
from serving.external_data import external_tensor
from serving.provider import Provider

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
# A CUDA that does not start is raised or decided here; onnxruntime would also scatter it over stderr.
_WARNING, _FATAL = 2, 4

# onnxruntime's errors share no base class below Exception. The first group blames the file.
_FILE_ERRORS: tuple[type[Exception], ...] = (
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoModel,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
)
_DEVICE_ERRORS: tuple[type[Exception], ...] = (
    ort_state.EPFail,
    ort_state.EngineError,
    ort_state.Fail,
    ort_state.RuntimeException,
)
ORT_ERRORS = _FILE_ERRORS + _DEVICE_ERRORS


def open_session(path: Path, *, provider: Provider, threads: int) -> ort.InferenceSession:
    """Open `model.onnx` with `threads` compute threads, on CUDA where `provider` says so, else on the CPU.

    The options, all of them on purpose: threads do not spin while idle, and operators run one after the other,
    because other processes share the cores; all graph optimisations; the memory arena keeps what it allocated, so
    that a batch of a shape that was seen allocates nothing.

    Raises:
        ModelFolderError: the file is damaged, or keeps tensors in other files.
        ProviderError: CUDA was asked for and the session does not run on it.
    """
    refuse_external_data(path)
    try:
        return _open_cuda(path, threads) if provider is Provider.CUDA else _open(path, threads, [_CPU])
    except ORT_ERRORS as error:
        if provider is Provider.CUDA and isinstance(error, _DEVICE_ERRORS):
            raise ProviderError(f"provider cuda failed to open {path}: {error}; give provider cpu") from error
        raise ModelFolderError(f"{path} cannot be loaded: {error}; export the model again") from error


def real_provider(session: ort.InferenceSession) -> Provider:
    """The provider the session computes on, from the session itself and not from what was asked."""
    return Provider.CUDA if _CUDA in session.get_providers() else Provider.CPU


def nvidia_driver_present() -> bool:
    """Whether the NVIDIA driver's library can be loaded. It comes with the driver, never with a package."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return True
    return False


def refuse_external_data(path: Path) -> None:
    """Raise ModelFolderError where a tensor of the model lies outside the file, naming the tensor."""
    try:
        tensor = external_tensor(memoryview(path.read_bytes()))
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read ({error.strerror}); package the model again") from error
    except ModelFolderError as error:
        raise ModelFolderError(f"{path} is damaged: {error}") from error
    if tensor is not None:
        raise ModelFolderError(
            f"{path} keeps tensor {tensor!r} in another file; external data is refused at all, "
            "so save the model as one file"
        )


def _open_cuda(path: Path, threads: int) -> ort.InferenceSession:
    said = _preloaded() if nvidia_driver_present() else "there is no NVIDIA driver on this machine"
    session = _open(path, threads, [_CUDA, _CPU])
    if real_provider(session) is not Provider.CUDA:
        raise ProviderError(
            f"provider cuda was asked for, but the session runs on {', '.join(session.get_providers())} "
            f"({said or 'CUDA could not be started'}); install onnxruntime-gpu with the CUDA libraries it "
            "needs, or give provider cpu or auto"
        )
    return session


def _preloaded() -> str:
    """Load the CUDA libraries that pip packages bring; returns what onnxruntime said against it."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints its complaints, and stdout carries the ready line
        ort.preload_dlls()
    return " ".join(said.getvalue().split())


def _open(path: Path, threads: int, providers: list[str]) -> ort.InferenceSession:
    ort.disable_telemetry_events()  # some builds send figures home, or keep a database of them
    available = [name for name in providers if name in ort.get_available_providers()]
    ort.set_default_logger_severity(_FATAL)
    try:
        session = ort.InferenceSession(str(path), _options(threads), providers=available)
    finally:
        ort.set_default_logger_severity(_WARNING)
    session.disable_fallback()  # else a CUDA run that fails is repeated on the CPU without a word
    return session


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
