"""A Triton model repository: texts in, probabilities out, in one call."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from evalkit.export_server.errors import ExportError
from evalkit.export_server.permission import verdict_line
from evalkit.export_server.placement import Placement
from evalkit.export_server.rendering import rendered
from evalkit.export_server.requirements import RUNTIMES, pinned
from evalkit.export_server.source import Source
from serving.manifest import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE

REPOSITORY, VERSION_FOLDER = "models", "1"
TYPES = {"tensor(float)": "TYPE_FP32", "tensor(float16)": "TYPE_FP16"}


class Backend(StrEnum):
    """Who computes the logits: the Python model that tokenises, or Triton's ONNX Runtime backend behind it."""

    PYTHON = "python"
    ONNXRUNTIME = "onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonOptions:
    """How Triton shall run the model. ``queue_limit`` counts requests that may wait."""

    backend: Backend = Backend.PYTHON
    placement: Placement = field(default_factory=Placement)
    queue_limit: int = 256


def write_triton(source: Source, folder: Path, options: TritonOptions) -> None:
    """Writes ``models/NAME`` (and ``models/NAME_onnx`` for the ONNX Runtime backend), requirements.txt and README.md.

    Raises:
        ExportError: a label holds a line break, which Triton's label file cannot carry.
        ModelFolderError: the ONNX file cannot be opened.
    """
    name, labels = source.manifest.name, source.manifest.labels
    values: dict[str, Any] = {
        "name": name,
        "version": source.version,
        "labels": len(labels),
        "backend": options.backend.value,
        "options": options,
        **(_signature(source) if options.backend is Backend.ONNXRUNTIME else {}),
    }
    model = folder / REPOSITORY / name
    version = model / VERSION_FOLDER
    version.mkdir(parents=True)
    (model / "labels.txt").write_text(_label_lines(labels), encoding="utf-8")
    (model / "config.pbtxt").write_text(rendered("triton/config.pbtxt.j2", **values), encoding="utf-8")
    (version / "model.py").write_text(rendered("triton/model.py.j2", **values), encoding="utf-8")
    for file in (MANIFEST_FILE, TOKENIZER_FILE):
        shutil.copyfile(source.folder / file, version / file)
    _place_onnx(source, folder, options.backend, values)
    runtime = [RUNTIMES[options.placement.provider]] if options.backend is Backend.PYTHON else []
    (folder / "requirements.txt").write_text(pinned(["numpy", "tokenizers", *runtime]), encoding="utf-8")
    readme = rendered("triton/README.md.j2", **values, first_label=labels[0], verdict=verdict_line(source))
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _place_onnx(source: Source, folder: Path, backend: Backend, values: dict[str, Any]) -> None:
    name = source.manifest.name if backend is Backend.PYTHON else f"{source.manifest.name}_onnx"
    version = folder / REPOSITORY / name / VERSION_FOLDER
    version.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.folder / MODEL_FILE, version / MODEL_FILE)
    if backend is Backend.ONNXRUNTIME:
        config = rendered("triton/onnx_config.pbtxt.j2", **values)
        (version.parent / "config.pbtxt").write_text(config, encoding="utf-8")


def _label_lines(labels: tuple[str, ...]) -> str:
    for label in labels:
        if len(label.splitlines()) != 1:
            raise ExportError(f"label {label!r} holds a line break, and Triton reads one label a line; rename it")
    return "".join(f"{label}\n" for label in labels)


def _signature(source: Source) -> dict[str, Any]:
    """Names of the ONNX file's inputs; name and Triton type of the output that holds the logits."""
    from serving.provider import Provider
    from serving.session import open_session

    session = open_session(source.folder / MODEL_FILE, provider=Provider.CPU, threads=1)
    outputs = {each.name: each.type for each in session.get_outputs()}
    chosen = "logits" if "logits" in outputs else next(iter(outputs))
    if outputs[chosen] not in TYPES:
        raise ExportError(f"the logits {chosen!r} are {outputs[chosen]}; Triton is given float or float16 logits")
    return {
        "inputs": [each.name for each in session.get_inputs()],
        "output": {"name": chosen, "type": TYPES[outputs[chosen]]},
    }
