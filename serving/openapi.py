"""The OpenAPI document: FastAPI's own, and the plain calls that FastAPI does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving import classify
from serving.schemas import ClassifyResponse, Prediction, Problem, classify_request_body
from serving.settings import ServerSettings

_IN_COMPONENTS = "#/components/schemas/{model}"


def add_plain_calls(app: FastAPI, settings: ServerSettings) -> None:
    """Let `/openapi.json` describe the plain calls too, with this server's own limits."""
    generated = app.openapi

    def document() -> dict[str, Any]:
        described = generated()  # FastAPI keeps it, and so what is added below
        described["paths"].setdefault(classify.PATH, {"post": _classify(settings)})
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for model in (ClassifyResponse, Prediction, Problem):
            schema = model.model_json_schema(ref_template=_IN_COMPONENTS)
            schema.pop("$defs", None)
            schemas.setdefault(model.__name__, schema)
        return described

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's manual has it


def _classify(settings: ServerSettings) -> dict[str, Any]:
    return {
        "summary": "Classify texts",
        "operationId": "classify",
        "requestBody": classify_request_body(settings.max_request_rows),
        "responses": {
            "200": _response("Answers in the order of the texts", "application/json", "ClassifyResponse"),
            **{
                str(status): _response("Problem details", "application/problem+json", "Problem")
                for status in (400, 413, 422, 500, 503, 504)
            },
        },
    }


def _response(description: str, media_type: str, model: str) -> dict[str, Any]:
    schema = {"$ref": _IN_COMPONENTS.format(model=model)}
    return {"description": description, "content": {media_type: {"schema": schema}}}
