"""A torch classifier becomes the model folder that is served, and is shown to answer the same."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import ModelError, StageError
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.predicting import torch_logits
from serving.engine import Engine
from serving.manifest import write_manifest
from serving.provider import Provider

OPSET = 17
PRECISION = "fp32"
TASK = "text-classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the exported file's logits are from torch's on ``texts`` real texts."""

    texts: int
    largest_logit_difference: float
    label_flips: int
    tolerance: float


def export(
    classifier: TextClassifier,
    folder: Path,
    *,
    name: str,
    max_length: int,
    provenance: dict[str, Any],
) -> None:
    """Writes model.onnx, tokenizer.json and manifest.json into ``folder`` (ONNX export by optimum)."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(classifier.model, folder / "model.onnx")
    classifier.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write_manifest(
        folder,
        name=name,
        labels=classifier.labels,
        max_length=max_length,
        precision=PRECISION,
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
    """Compares torch and the served engine, tokenisation included. Raises StageError beyond ``tolerance``."""
    expected = torch_logits(classifier, texts, max_length)
    served = engine.logits(engine.encode(texts))
    difference = float(np.abs(expected - served).max())
    flips = int((expected.argmax(1) != served.argmax(1)).sum())
    if not difference <= tolerance:
        raise StageError(
            f"the exported ONNX file's logits differ from torch's by {difference:.2g} on {len(texts)} texts "
            f"({flips} labels flip); serve.parity_tolerance allows {tolerance:g}"
        )
    return Parity(texts=len(texts), largest_logit_difference=difference, label_flips=flips, tolerance=tolerance)


def open_engine(folder: Path, provider: str, threads: int) -> Engine:
    """The engine that serves ``folder``."""
    return Engine.load(folder, provider=Provider(provider), threads=threads)
