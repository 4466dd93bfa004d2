"""The Open Inference Protocol v2 calls that say what is served and whether it is ready."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, HTTPException

from serving.classifier import Classifier
from serving.engine import Engine
from serving.problems import RETRY_AFTER_S
from serving.readiness import Readiness
from serving.schemas import problem_responses

SERVER_NAME = "evalkit-serving"
_PLATFORM = "onnxruntime_onnx"


def metadata_routes(classifier: Classifier) -> APIRouter:
    """`/v2` (server), `/v2/health/*` and `/v2/models/{name}`, in the protocol's own JSON."""
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"])
    _add_server_routes(routes, classifier)
    _add_model_routes(routes, classifier)
    return routes


def _add_server_routes(routes: APIRouter, classifier: Classifier) -> None:
    @routes.get("")
    async def server() -> dict[str, Any]:
        return {"name": SERVER_NAME, "version": _package_version(), "extensions": []}

    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @routes.get("/health/ready", responses=problem_responses(503))
    async def ready() -> dict[str, bool]:
        _require_ready(classifier.readiness)
        return {"ready": True}


def _add_model_routes(routes: APIRouter, classifier: Classifier) -> None:
    @routes.get("/models/{name}", responses=problem_responses(404))
    async def model(name: str) -> dict[str, Any]:
        _require_model(name, classifier.engine)
        return model_metadata(classifier.engine)

    @routes.get("/models/{name}/ready", responses=problem_responses(404, 503))
    async def model_ready(name: str) -> dict[str, Any]:
        _require_model(name, classifier.engine)
        _require_ready(classifier.readiness)
        return {"name": name, "ready": True}


def _require_ready(state: Readiness) -> None:
    if state is not Readiness.READY:
        raise HTTPException(503, f"not ready: {state.value}", {"Retry-After": RETRY_AFTER_S})


def _require_model(name: str, engine: Engine) -> None:
    if name != engine.name:
        raise HTTPException(404, f"there is no model {name!r} here; this server has {engine.name!r}")


def model_metadata(engine: Engine) -> dict[str, Any]:
    """The model in the protocol's terms: texts in as BYTES, one FP32 probability per label out."""
    return {
        "name": engine.name,
        "versions": [engine.version],
        "platform": _PLATFORM,
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, len(engine.labels)]}],
    }


def _package_version() -> str:
    try:
        return version("evalkit-gate")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "unknown"
