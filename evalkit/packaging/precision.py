"""The exported fp32 model in less precision: half precision, and eight-bit integers with ONNX Runtime's quantiser."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import ModelError
from serving.manifest import MODEL_FILE, TOKENIZER_FILE, Manifest, model_version, read_manifest, write_manifest
from serving.tokens import TextEncoder, padded_inputs

LOGGERS_BELOW = logging.WARNING


class Precision(StrEnum):
    """What weights and arithmetic are made of."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8_DYNAMIC = "int8_dynamic"
    INT8_STATIC = "int8_static"


def write_variant(fp32: Path, folder: Path, precision: Precision, calibration: Sequence[str] = ()) -> Manifest:
    """Writes the model folder ``folder``: the model of the folder ``fp32`` in another precision, its tokenizer, and a
    manifest that says what it was made from.

    fp16 halves weights and arithmetic; inputs and logits keep their types. Both int8 kinds have symmetric weights,
    with a scale for every output channel. int8_dynamic finds the scale of the activations anew at every run;
    int8_static writes it into the file (QDQ), from the range that the activations take on the ``calibration`` texts,
    which must be none that the model is judged on.

    Raises:
        ModelError: ``fp32`` is not fp32, or int8_static has no calibration texts.
    """
    stated = read_manifest(fp32)
    if stated.precision != Precision.FP32:
        raise ModelError(f"{fp32} is {stated.precision} already; a variant is made from an fp32 model folder")
    if precision is Precision.INT8_STATIC and not calibration:
        raise ModelError("int8_static has no texts to find the range of its activations on; give training texts")
    folder.mkdir(parents=True, exist_ok=True)
    with without_advice():
        match precision:
            case Precision.FP32:
                shutil.copyfile(fp32 / MODEL_FILE, folder / MODEL_FILE)
            case Precision.FP16:
                _write_fp16(fp32 / MODEL_FILE, folder / MODEL_FILE)
            case Precision.INT8_DYNAMIC:
                _write_int8_dynamic(fp32 / MODEL_FILE, folder / MODEL_FILE)
            case Precision.INT8_STATIC:
                _write_int8_static(fp32, folder / MODEL_FILE, stated.max_length, calibration)
    shutil.copyfile(fp32 / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    return write_manifest(
        folder,
        name=stated.name,
        labels=stated.labels,
        max_length=stated.max_length,
        precision=precision,
        opset=_opset(folder / MODEL_FILE),
        provenance={**stated.provenance, **_made(stated, precision, calibration)},
    )


def _made(fp32: Manifest, precision: Precision, calibration: Sequence[str]) -> dict[str, Any]:
    import onnxruntime

    made: dict[str, Any] = {"fp32_version": model_version(fp32), "made_by": f"onnxruntime {onnxruntime.__version__}"}
    if precision is Precision.INT8_STATIC:
        made["calibration"] = {"texts": len(calibration), "sha256": texts_digest(calibration)}
    return made


def texts_digest(texts: Sequence[str]) -> str:
    """sha256 of texts in their order.

    >>> texts_digest(["a", "b"])[:12]
    '3554d2b8a1e3'
    """
    return hashlib.sha256(json.dumps(list(texts), ensure_ascii=False).encode()).hexdigest()


def _write_fp16(fp32: Path, path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(str(fp32)), keep_io_types=True), str(path))


def _write_int8_dynamic(fp32: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(fp32, path, per_channel=True, weight_type=QuantType.QInt8, extra_options={"WeightSymmetric": True})


def _write_int8_static(fp32: Path, path: Path, max_length: int, calibration: Sequence[str]) -> None:
    """Products with weights and the look-up of embeddings; the rest, where integers cost more than they save, stays."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = path.with_suffix(".prepared")
    quant_pre_process(fp32 / MODEL_FILE, prepared, skip_symbolic_shape=True)
    try:
        quantize_static(
            prepared,
            path,
            _Calibration(fp32, max_length, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False, "MatMulConstBOnly": True},
        )
    finally:
        prepared.unlink(missing_ok=True)


class _Calibration:
    """Each text alone, as the model's inputs: no padding takes part in the ranges. What onnxruntime calls a
    CalibrationDataReader."""

    def __init__(self, fp32: Path, max_length: int, texts: Sequence[str]) -> None:
        self._encoder = TextEncoder.load(fp32 / TOKENIZER_FILE, max_length=max_length)
        self._wanted = _inputs(fp32 / MODEL_FILE)
        self._texts = iter(texts)

    def get_next(self) -> dict[str, np.ndarray] | None:
        for text in self._texts:
            inputs = padded_inputs(self._encoder.encode([text]), pad_id=self._encoder.pad_id)
            return {name: inputs[name] for name in self._wanted}
        return None


def _inputs(path: Path) -> list[str]:
    import onnx

    return [each.name for each in onnx.load(str(path)).graph.input]


def _opset(path: Path) -> int:
    import onnx

    imports = onnx.load(str(path)).opset_import
    return int(next(each.version for each in imports if each.domain in ("", "ai.onnx")))


@contextmanager
def without_advice() -> Iterator[None]:
    """The quantiser advises a preparation at every call, by the root logger, whether it was made or not;
    torch's exporter names packages that nobody needs."""
    before = logging.root.manager.disable
    logging.disable(LOGGERS_BELOW)
    try:
        yield
    finally:
        logging.disable(before)
