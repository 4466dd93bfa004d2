"""The OpenAPI document: FastAPI's own, and the plain calls that FastAPI does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving import classify, deadline, exposition, infer
from serving.entrance import OPEN_PATHS
from serving.keys import Keys
from serving.protocol_schemas import RESPONSE_MODELS, infer_request_body
from serving.schemas import ClassifyResponse, Prediction, Problem, classify_request_body
from serving.settings import ServerSettings

_IN_COMPONENTS = "#/components/schemas/{model}"
_VALIDATION = ("HTTPValidationError", "ValidationError")
# What every inference can end in: refused, too large, failed, over capacity, too late.
_STATUSES = (400, 413, 500, 503, 504)


def add_plain_calls(app: FastAPI, settings: ServerSettings, keys: Keys) -> None:
    """Let `/openapi.json` describe the plain calls too, with this server's own limits, and who may ask."""
    generated = app.openapi

    def document() -> dict[str, Any]:
        described = generated()  # FastAPI keeps it, and so what is added below
        paths = described["paths"]
        paths.setdefault(classify.PATH, {"post": _classify(settings)})
        paths.setdefault(exposition.PATH, {"get": _METRICS})
        for path, names in _INFER_PATHS.items():
            paths.setdefault(path, {"post": _infer(settings, names)})
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for model in (ClassifyResponse, Prediction, Problem, *RESPONSE_MODELS):
            schema = model.model_json_schema(ref_template=_IN_COMPONENTS)
            schema.pop("$defs", None)
            schemas.setdefault(model.__name__, schema)
        described["info"]["description"] = _DESCRIPTION
        _drop_unreachable_validation(described)
        _describe_keys(described, keys)
        return described

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's manual has it


_INFER_PATHS = {
    f"{infer.PREFIX}{{name}}{infer.SUFFIX}": ("name",),
    f"{infer.PREFIX}{{name}}/versions/{{version}}{infer.SUFFIX}": ("name", "version"),
}


def _classify(settings: ServerSettings) -> dict[str, Any]:
    return {
        "summary": "Classify texts",
        "operationId": "classify",
        "parameters": [_DEADLINE],
        "requestBody": classify_request_body(settings.max_request_rows),
        "responses": {
            "200": _response("Answers in the order of the texts", "application/json", "ClassifyResponse"),
            **_problems("Problem", 422, *_STATUSES),
        },
    }


def _infer(settings: ServerSettings, names: tuple[str, ...]) -> dict[str, Any]:
    answer = _response("The outputs", "application/json", "InferResponse")
    answer["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    answer["headers"] = {infer.JSON_BYTES_HEADER: {"schema": {"type": "integer"}, "description": _JSON_BYTES}}
    return {
        "summary": "Run the model on tensors",
        "operationId": "_".join(("infer", *names)),
        "tags": ["open inference protocol"],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names),
            _DEADLINE,
            {
                "name": infer.JSON_BYTES_HEADER,
                "in": "header",
                "schema": {"type": "integer", "minimum": 0},
                "description": _JSON_BYTES,
            },
        ],
        "requestBody": infer_request_body(settings.max_request_rows),
        "responses": {"200": answer, **_problems("ProtocolProblem", 404, 415, *_STATUSES)},
    }


_DESCRIPTION = (
    "Classifies texts with one model. Whatever the call, a connection may also be answered 408 (a request that is "
    "not sent in time), 431 (too large a head) or 503 (too many connections), always as problem details."
)
_DEADLINE = {
    "name": deadline.HEADER,
    "in": "header",
    "schema": {"type": "number", "exclusiveMinimum": 0},
    "description": "After so many milliseconds nobody wants the answer: what is not computed by then gets 504.",
}
_METRICS = {
    "summary": "Figures for Prometheus",
    "operationId": "metrics",
    "responses": {
        "200": {"description": "All workers' figures", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
}
_JSON_BYTES = "How many bytes of the body are JSON; only where binary data follows."


def _problems(model: str, *statuses: int) -> dict[str, Any]:
    return {str(status): _response("Problem details", "application/problem+json", model) for status in sorted(statuses)}


def _response(description: str, media_type: str, model: str) -> dict[str, Any]:
    schema = {"$ref": _IN_COMPONENTS.format(model=model)}
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _describe_keys(described: dict[str, Any], keys: Keys) -> None:
    """Where the server wants a key, every call but the open ones does."""
    if not keys.api:
        return
    described["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    }
    for path, operations in described["paths"].items():
        if path in OPEN_PATHS:
            continue
        model = "ProtocolProblem" if path.startswith("/v2") else "Problem"
        for operation in operations.values():
            operation["security"] = [{"bearer": []}, {"key": []}]
            operation["responses"].update(_problems(model, 401))


def _drop_unreachable_validation(described: dict[str, Any]) -> None:
    """FastAPI promises 422 wherever there is a parameter; a path's string is never invalid."""
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    for operation in operations:
        if "requestBody" not in operation:
            operation["responses"].pop("422", None)
    if not any("HTTPValidationError" in str(operation["responses"]) for operation in operations):
        for model in _VALIDATION:
            described["components"]["schemas"].pop(model, None)
