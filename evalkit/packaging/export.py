"""A torch classifier becomes the model folder that is served, and is shown to answer the same."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import ModelError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.own_module import OwnClassifier
from evalkit.modelling.predicting import torch_logits
from evalkit.packaging.parity import Parity, compare, refuse_difference, served_logits
from evalkit.packaging.precision import Precision
from evalkit.packaging.torch_module import export_module
from serving.engine import Engine
from serving.manifest import write_manifest
from serving.provider import Provider

OPSET = 17
TASK = "text-classification"


def export(
    classifier: TextClassifier,
    folder: Path,
    *,
    name: str,
    max_length: int,
    provenance: dict[str, Any],
) -> None:
    """Writes model.onnx, tokenizer.json and manifest.json into ``folder``: by optimum, or by torch's own exporter where
    it is a torch module of the user's own."""
    if isinstance(classifier.model, OwnClassifier):
        export_module(
            classifier.model.module,
            classifier.tokenizer,
            classifier.labels,
            folder,
            name=name,
            max_length=max_length,
            provenance=provenance,
        )
        return
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(classifier.model, folder / "model.onnx")
    classifier.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write_manifest(
        folder,
        name=name,
        labels=classifier.labels,
        max_length=max_length,
        precision=Precision.FP32,
        opset=OPSET,
        provenance=provenance,
    )


def _write_onnx(model: Any, path: Path) -> None:
    """optimum's export of one model object, by its own configuration for that model type.

    Raises ModelError where optimum knows no text classifier of the type.
    """
    from optimum.exporters.onnx import export as export_onnx
    from optimum.exporters.tasks import TasksManager

    kind = model.config.model_type
    try:
        configuration = TasksManager.get_exporter_config_constructor(
            "onnx", model_type=kind, task=TASK, library_name="transformers"
        )(model.config, task=TASK)
    except (KeyError, ValueError) as error:
        raise ModelError(f"model type '{kind}' cannot be exported to ONNX as a text classifier ({error})") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every constant that it folds
        export_onnx(model, configuration, path, opset=OPSET)


def check_parity(
    classifier: TextClassifier, engine: Engine, texts: Sequence[str], max_length: int, tolerance: float
) -> Parity:
    """Compares torch and the served fp32 engine, tokenisation included. Raises StageError beyond ``tolerance``."""
    expected = torch_logits(classifier, texts, max_length)
    return refuse_difference(compare(expected, served_logits(engine, texts), Precision.FP32, "torch"), tolerance)


def open_engine(folder: Path, provider: str, threads: int) -> Engine:
    """The engine that serves ``folder``."""
    return Engine.load(folder, provider=Provider(provider), threads=threads)
