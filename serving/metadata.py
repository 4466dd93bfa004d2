"""The Open Inference Protocol v2 calls that say what is served and whether it is ready."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import APIRouter, HTTPException

from serving.classifier import Classifier
from serving.engine import Engine
from serving.errors import UnknownModel
from serving.problems import RETRY_AFTER_S
from serving.protocol_schemas import Live, ModelMetadata, ModelReady, Ready, ServerMetadata, protocol_problems
from serving.readiness import Readiness
from serving.tensors import BYTES, INT64, LABEL, OUTPUTS, PROBABILITIES, inputs_of, shown

SERVER_NAME = "evalkit-serving"
EXTENSIONS = ("binary_tensor_data",)
_PLATFORM = "onnxruntime_onnx"
_INPUT_SHAPES = {BYTES: [-1], INT64: [-1, -1]}


def metadata_routes(classifier: Classifier) -> APIRouter:
    """`/v2` (server), `/v2/health/*` and `/v2/models/{name}`, in the protocol's own JSON."""
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"])
    _add_server_routes(routes, classifier)
    _add_model_routes(routes, classifier)
    return routes


def require_model(engine: Engine, name: str, version: str | None = None) -> None:
    """Check that a request means the model that is served.

    Raises:
        UnknownModel: it names another, or another version.
    """
    if name != engine.name:
        raise UnknownModel(f"there is no model {shown(name)} here; this server has {engine.name!r}")
    if version is not None and version != engine.version:
        raise UnknownModel(f"there is no version {shown(version)} of {name!r} here; this server has {engine.version}")


def server_metadata() -> dict[str, Any]:
    """The server in the protocol's terms."""
    return {"name": SERVER_NAME, "version": _package_version(), "extensions": list(EXTENSIONS)}


def model_metadata(engine: Engine) -> dict[str, Any]:
    """The model in the protocol's terms: texts or token ids in, one FP32 probability per label and the label out."""
    shapes = {PROBABILITIES: [-1, len(engine.labels)], LABEL: [-1]}
    return {
        "name": engine.name,
        "versions": [engine.version],
        "platform": _PLATFORM,
        "inputs": [
            {"name": name, "datatype": datatype, "shape": _INPUT_SHAPES[datatype]}
            for name, datatype in inputs_of(engine).items()
        ],
        "outputs": [{"name": name, "datatype": datatype, "shape": shapes[name]} for name, datatype in OUTPUTS.items()],
        "parameters": {"labels": list(engine.labels), "max_length": engine.max_length},
    }


def _add_server_routes(routes: APIRouter, classifier: Classifier) -> None:
    @routes.get("", summary="What server this is", response_model=ServerMetadata)
    async def server() -> dict[str, Any]:
        return server_metadata()

    @routes.get("/health/live", summary="Whether the server runs", response_model=Live)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @routes.get("/health/ready", summary="Whether it answers", response_model=Ready, responses=protocol_problems(503))
    async def ready() -> dict[str, bool]:
        _require_ready(classifier.readiness)
        return {"ready": True}


def _add_model_routes(routes: APIRouter, classifier: Classifier) -> None:
    unknown, not_ready = protocol_problems(404), protocol_problems(404, 503)

    @routes.get("/models/{name}", summary="What the model takes", response_model=ModelMetadata, responses=unknown)
    async def model(name: str) -> dict[str, Any]:
        require_model(classifier.engine, name)
        return model_metadata(classifier.engine)

    @routes.get(
        "/models/{name}/versions/{version}",
        summary="What a version of the model takes",
        response_model=ModelMetadata,
        responses=unknown,
    )
    async def model_version(name: str, version: str) -> dict[str, Any]:
        require_model(classifier.engine, name, version)
        return model_metadata(classifier.engine)

    @routes.get(
        "/models/{name}/ready", summary="Whether the model answers", response_model=ModelReady, responses=not_ready
    )
    async def model_ready(name: str) -> dict[str, Any]:
        require_model(classifier.engine, name)
        _require_ready(classifier.readiness)
        return {"name": name, "ready": True}

    @routes.get(
        "/models/{name}/versions/{version}/ready",
        summary="Whether a version of the model answers",
        response_model=ModelReady,
        responses=not_ready,
    )
    async def model_version_ready(name: str, version: str) -> dict[str, Any]:
        require_model(classifier.engine, name, version)
        _require_ready(classifier.readiness)
        return {"name": name, "ready": True}


def _require_ready(state: Readiness) -> None:
    if state is not Readiness.READY:
        raise HTTPException(503, f"not ready: {state.value}", {"Retry-After": RETRY_AFTER_S})


def _package_version() -> str:
    try:
        return installed_version("evalkit-gate")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "unknown"
