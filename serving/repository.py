"""The model repository calls of the Open Inference Protocol v2, as far as one server with one model has them.

`POST /v2/repository/models/{name}/load` reads a model folder and puts it in the place of the served one;
`POST /v2/repository/index` says what is served.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from serving.classifier import Classifier
from serving.errors import InvalidRequest
from serving.keys import Keys, NotAllowed
from serving.loads import Load, Loader
from serving.metadata import require_model
from serving.plain_http import read_body
from serving.protocol_schemas import protocol_problems
from serving.readiness import Readiness
from serving.tensors import shown

_MAX_BODY_BYTES = 65_536
_FOLDER, _OTHER_LABELS = "folder", "allow_other_labels"


class LoadAnswer(BaseModel):
    """What is served from now on, and what was before."""

    name: str
    version: str
    former_version: str


class IndexEntry(BaseModel):
    """One model."""

    name: str
    version: str
    state: str = Field(description="READY, or UNAVAILABLE while the server starts or drains.")
    reason: str


_LOAD_BODY = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "parameters": {
                            "type": "object",
                            "properties": {_FOLDER: {"type": "string"}, _OTHER_LABELS: {"type": "boolean"}},
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                }
            }
        }
    }
}


def repository_routes(
    classifier: Classifier, keys: Keys, loader: Loader, served_folder: Path | None, model_root: Path | None
) -> APIRouter:
    """The calls. `loader` loads in all workers; `served_folder` is what the server was started with."""
    routes = APIRouter(prefix="/v2/repository", tags=["open inference protocol"])

    @routes.post("/index", summary="What is served", response_model=list[IndexEntry])
    async def index() -> list[dict[str, str]]:
        return _index(classifier)

    @routes.post(
        "/models/{name}/load",
        summary="Serve another model folder in place of this one",
        response_model=LoadAnswer,
        responses=protocol_problems(400, 401, 403, 404, 409, 413, 422, 500),
        openapi_extra=_LOAD_BODY,
    )
    async def load(name: str, request: Request) -> dict[str, Any]:
        keys.require_admin(request.scope["headers"])
        parameters = _parameters(await read_body(request.receive, limit_bytes=_MAX_BODY_BYTES))
        require_model(classifier.engine, name)
        folder = allowed_folder(parameters.get(_FOLDER), served_folder, model_root)
        loaded = await loader(Load(folder=folder, allow_other_labels=parameters.get(_OTHER_LABELS, False)))
        return {"name": loaded.name, "version": loaded.version, "former_version": loaded.former_version}

    return routes


def _index(classifier: Classifier) -> list[dict[str, str]]:
    engine, readiness = classifier.engine, classifier.readiness
    ready = readiness is Readiness.READY
    return [
        {
            "name": engine.name,
            "version": engine.version,
            "state": "READY" if ready else "UNAVAILABLE",
            "reason": "" if ready else readiness.value,
        }
    ]


def allowed_folder(given: str | None, served: Path | None, root: Path | None) -> Path:
    """The folder that a load means: without a name the served one again, else one below `root`.

    Links are followed first, so that none leads out of the root.

    Raises:
        NotAllowed: the folder is not below the root, or there is no root.
    """
    if given is None:
        if served is None:
            raise NotAllowed('this server was started without a folder; give the parameter "folder"')
        return served
    if root is None:
        raise NotAllowed("this server loads its own folder again and no other; start it with --model-root for more")
    try:
        folder = (root / given).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a null byte, or links that go round
        raise InvalidRequest(f"the folder {shown(given)} is no path") from error
    if not folder.is_relative_to(root.resolve()):
        raise NotAllowed(f"the folder {shown(given)} is not below the model root of this server")
    return folder


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        stated = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    if not isinstance(stated, dict) or stated.keys() - {"parameters"}:
        raise InvalidRequest('the body must be a JSON object; its only key is "parameters"')
    parameters = stated.get("parameters", {})
    kinds = {_FOLDER: str, _OTHER_LABELS: bool}
    if not isinstance(parameters, dict):
        raise InvalidRequest('"parameters" must be a JSON object')
    for key, value in parameters.items():
        if key not in kinds:
            raise InvalidRequest(f"the parameter {shown(key)} is unknown; known are {', '.join(kinds)}")
        if not isinstance(value, kinds[key]):
            raise InvalidRequest(f'the parameter "{key}" must be a {"string" if kinds[key] is str else "boolean"}')
    return parameters
