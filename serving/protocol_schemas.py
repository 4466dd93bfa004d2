"""The JSON of the Open Inference Protocol v2 calls, for the OpenAPI document: the hot path builds none of these."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from serving.schemas import Problem
from serving.tensors import BYTES, IDS, INT64, MASK, OUTPUTS, SEGMENTS, TEXT

_PROBLEM_JSON = "application/problem+json"


class ProtocolProblem(Problem):
    """An error as RFC 9457 problem details, with the member that clients of the protocol read."""

    error: str = Field(description="The same as `detail`.")


class ServerMetadata(BaseModel):
    """The server in the protocol's terms."""

    name: str
    version: str
    extensions: list[str] = Field(description="Extensions of the protocol that the server has.")


class Live(BaseModel):
    """Whether the server runs."""

    live: bool


class Ready(BaseModel):
    """Whether the server answers."""

    ready: bool


class ModelReady(Ready):
    """Whether a model answers."""

    name: str


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives; -1 stands for any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelParameters(BaseModel):
    """What a client must know of a classifier beyond its tensors."""

    labels: list[str] = Field(description="All labels, in the order of the probabilities.")
    max_length: int = Field(description="Tokens of one row at most, special tokens included.")


class ModelMetadata(BaseModel):
    """A model in the protocol's terms. A request has either `text` or `input_ids` and what belongs to them."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: ModelParameters


class BinarySize(BaseModel):
    """Where a tensor's data is."""

    binary_data_size: int | None = Field(None, description="Bytes of the tensor's data after the JSON.")


class ResponseOutput(TensorMetadata):
    """An output of a request: its data in row-major order, or its number of bytes after the JSON."""

    data: list[float | str] | None = None
    parameters: BinarySize | None = None


class ResponseParameters(BaseModel):
    """What happened to the request's rows."""

    truncated: int = Field(description="How many texts were cut at the model's maximum length.")


class InferResponse(BaseModel):
    """The answer of an inference call."""

    model_name: str
    model_version: str = Field(description="Digest of the model's files, labels and maximum length.")
    id: str | None = Field(None, description="That of the request, if it has one.")
    parameters: ResponseParameters
    outputs: list[ResponseOutput]


RESPONSE_MODELS = (InferResponse, ResponseOutput, ResponseParameters, BinarySize, ProtocolProblem)


def protocol_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of error answers."""
    content = {_PROBLEM_JSON: {"schema": ProtocolProblem.model_json_schema()}}
    return {status: {"description": "Problem details", "content": content} for status in statuses}


def infer_request_body(max_rows: int) -> dict[str, Any]:
    """The OpenAPI request body of the inference call, with the server's own limit in it."""
    example = {"inputs": [{"name": "text", "datatype": BYTES, "shape": [1], "data": ["a fine day"]}]}
    schema = {
        "type": "object",
        "title": "InferRequest",
        "description": "Give either `text`, or `input_ids` and, where rows are padded, `attention_mask`.",
        "properties": {
            "id": {"type": "string", "description": "Comes back in the answer."},
            "parameters": _parameters(
                binary_data_output={"type": "boolean", "description": "Whether outputs come in binary."},
                timeout={"type": "integer", "minimum": 0, "description": "Microseconds; 0 is no limit."},
            ),
            "inputs": {"type": "array", "minItems": 1, "items": {"oneOf": [_text(max_rows), _token_ids()]}},
            "outputs": {"type": "array", "items": _requested_output()},
        },
        "required": ["inputs"],
        "additionalProperties": False,
        "example": example,
    }
    binary = {
        "type": "string",
        "format": "binary",
        "description": "The JSON, of as many bytes as Inference-Header-Content-Length says, then the binary data.",
    }
    return {
        "required": True,
        "content": {"application/json": {"schema": schema}, "application/octet-stream": {"schema": binary}},
    }


def _text(max_rows: int) -> dict[str, Any]:
    rows = {"type": "integer", "minimum": 1, "maximum": max_rows}
    shape = {"type": "array", "items": rows, "minItems": 1, "maxItems": 2}
    return _input([TEXT], BYTES, shape, {"type": "string"})


def _token_ids() -> dict[str, Any]:
    shape = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}
    return _input([IDS, MASK, SEGMENTS], INT64, shape, {"type": "integer"})


def _input(names: list[str], datatype: str, shape: dict[str, Any], element: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": names},
            "datatype": {"type": "string", "enum": [datatype]},
            "shape": shape,
            "data": {
                "type": "array",
                "description": "Flat in row-major order, or nested as the shape is; left out where the data is binary.",
                "minItems": 1,
                "items": {"anyOf": [element, {"type": "array", "items": element, "minItems": 1}]},
            },
            "parameters": _parameters(binary_data_size={"type": "integer", "minimum": 0}),
        },
        "required": ["name", "datatype", "shape"],
        "additionalProperties": False,
    }


def _requested_output() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": list(OUTPUTS)},
            "parameters": _parameters(binary_data={"type": "boolean"}),
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def _parameters(**known: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": known}
