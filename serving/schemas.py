"""The JSON of the classify call, for the OpenAPI document only: the hot path builds none of these."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Prediction(BaseModel):
    """The answer for one text."""

    label: str = Field(description="The label with the largest probability.")
    probabilities: list[float] = Field(description="One probability per label, in the order of `labels`.")


class ClassifyResponse(BaseModel):
    """The answers for a request, in the order of its texts."""

    model: str
    version: str = Field(description="Digest of the model's files, labels and maximum length.")
    labels: list[str] = Field(description="All labels, in the order of the probabilities.")
    predictions: list[Prediction]
    truncated: int = Field(description="How many texts were cut at the model's maximum length.")


class Problem(BaseModel):
    """An error, as RFC 9457 problem details of the type about:blank."""

    title: str
    status: int
    detail: str


class Info(BaseModel):
    """What answers, and on what."""

    model_config = ConfigDict(json_schema_extra={"description": "What answers, and on what."})

    model: str
    version: str
    labels: list[str]
    provider: str = Field(description="The execution provider that computes, `cpu` or `cuda`.")
    threads: int
    pid: int


def classify_request_body(max_rows: int) -> dict[str, Any]:
    """The OpenAPI request body of the classify call, with the server's own limit in it."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": max_rows}
    schema = {
        "type": "object",
        "title": "ClassifyRequest",
        "properties": {"texts": texts},
        "required": ["texts"],
        "additionalProperties": False,
        "example": {"texts": ["a fine day"]},
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}
