"""Any torch module that answers logits becomes a model folder, by torch's own exporter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evalkit.errors import ModelError
from evalkit.modelling.own_module import LogitsAlone
from evalkit.packaging.precision import Precision, without_advice
from serving.manifest import MODEL_FILE, TOKENIZER_FILE, write_manifest

OPSET = 18
EXAMPLE_ROWS, EXAMPLE_TOKENS = 2, 4


def export_module(
    module: torch.nn.Module,
    tokenizer: Any,
    labels: Sequence[str],
    folder: Path,
    *,
    name: str,
    max_length: int,
    provenance: dict[str, Any],
) -> None:
    """Writes the model folder of ``module(input_ids, attention_mask) → logits [rows, labels]``, both inputs int64
    [rows, tokens] of any size, and its fast tokenizer. Needs the package onnxscript.

    Raises ModelError where torch cannot trace the module with rows and tokens left open.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(module, folder / MODEL_FILE)
    _forget_inner_shapes(folder / MODEL_FILE)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    write_manifest(
        folder,
        name=name,
        labels=labels,
        max_length=max_length,
        precision=Precision.FP32,
        opset=OPSET,
        provenance=provenance,
    )


def _write_onnx(module: torch.nn.Module, path: Path) -> None:
    ids = torch.ones((EXAMPLE_ROWS, EXAMPLE_TOKENS), dtype=torch.long)
    open_sizes = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    try:
        with without_advice(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own deprecations
            torch.onnx.export(
                LogitsAlone(module).eval(),
                (ids, torch.ones_like(ids)),
                str(path),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["input_ids", "attention_mask"],
                output_names=["logits"],
                dynamic_shapes=(open_sizes, open_sizes),
                verbose=False,
            )
    except ImportError as error:
        raise ModelError(
            f"a torch module is exported with onnxscript, which is missing ({error}); install it"
        ) from error
    except torch.onnx.OnnxExporterError as error:
        raise ModelError(
            f"{type(module).__name__} cannot be exported ({str(error).strip().splitlines()[0]}); its forward must take "
            "input_ids and attention_mask of any number of rows and tokens"
        ) from error


def _forget_inner_shapes(path: Path) -> None:
    """torch states the shape of every weight a second time, which is no longer true once ONNX Runtime's quantiser has
    transposed one; whoever needs the shapes infers them."""
    import onnx

    model = onnx.load(str(path))
    del model.graph.value_info[:]
    onnx.save(model, str(path))
