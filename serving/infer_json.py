"""The JSON of an inference call, and the binary tensor data that may follow it in the same body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from serving.classifier import Answered
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.model_rows import OutputTensor, Texts, Tokens, collected, output_tensors, rows_of, wanted_outputs
from serving.tensors import (
    BYTES,
    UNSUPPORTED_PARAMETERS,
    Header,
    Tensor,
    checked_header,
    from_integers,
    from_raw,
    from_texts,
    shown,
    timeout_seconds,
)

_REQUEST_KEYS = {"id", "parameters", "inputs", "outputs"}
_INPUT_KEYS = {"name", "datatype", "shape", "parameters", "data"}
_OUTPUT_KEYS = {"name", "parameters"}


@dataclass(frozen=True, slots=True)
class InferCall:
    """A request that holds every rule: its rows, the outputs it wants (true: in binary), and how long it waits."""

    rows: Texts | Tokens
    outputs: dict[str, bool]
    identity: str | None
    timeout_s: float | None


def read_call(body: bytes, json_bytes: int | None, engine: Engine, *, max_rows: int) -> InferCall:
    """The request in a body.

    Args:
        body: the whole of it.
        json_bytes: how many of its bytes are JSON, where binary data follows.
        engine: the model that will answer.
        max_rows: rows in one request at most.

    Raises:
        InvalidRequest: in words; `RequestTooLarge` for more than `max_rows` rows.
    """
    binary = _Binary(body, json_bytes)
    stated = _object(_loaded(body if json_bytes is None else body[:json_bytes]), "the body", _REQUEST_KEYS)
    parameters = _parameters(stated, "the request")
    identity = stated.get("id")
    if "id" in stated and not isinstance(identity, str):
        raise InvalidRequest('"id" must be a string')
    inputs = collected(_tensors(stated, binary, engine, max_rows))
    binary.check_used()
    return InferCall(
        rows_of(inputs, engine), _outputs(stated, parameters), identity, timeout_seconds(parameters.get("timeout", 0))
    )


def written_answer(call: InferCall, answered: Answered) -> tuple[bytes, int | None]:
    """The body of the answer, and how many of its bytes are JSON where binary data follows."""
    outputs, binary = [], []
    for tensor in output_tensors(answered, list(call.outputs)):
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if call.outputs[tensor.name]:
            binary.append(tensor.raw())
            output["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            output["data"] = _flat_data(tensor)
        outputs.append(output)
    answer: dict[str, Any] = {"model_name": answered.engine.name, "model_version": answered.engine.version}
    if call.identity is not None:
        answer["id"] = call.identity
    answer["parameters"] = {"truncated": answered.truncated}
    answer["outputs"] = outputs
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((head, *binary)), len(head)) if binary else (head, None)


class _Binary:
    """The bytes after the JSON, taken tensor by tensor."""

    def __init__(self, body: bytes, json_bytes: int | None) -> None:
        if json_bytes is not None and json_bytes > len(body):
            raise InvalidRequest(
                f"Inference-Header-Content-Length is {json_bytes}, more than the {len(body)} bytes of the body"
            )
        self._rest = memoryview(body)[len(body) if json_bytes is None else json_bytes :]
        self._announced = json_bytes is not None

    def take(self, size: int, name: str) -> memoryview:
        if not self._announced:
            raise InvalidRequest(
                f"input {name!r} has binary_data_size; send the header Inference-Header-Content-Length with it"
            )
        if size > len(self._rest):
            raise InvalidRequest(f"input {name!r} has binary_data_size {size}; {len(self._rest)} bytes are left")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def check_used(self) -> None:
        if self._rest:
            raise InvalidRequest(f"{len(self._rest)} bytes of binary data belong to no input; check binary_data_size")


def _loaded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error


def _tensors(stated: dict[str, Any], binary: _Binary, engine: Engine, max_rows: int) -> Iterator[Tensor]:
    for item in _list(stated, "inputs", required=True):
        given = _object(item, "an input", _INPUT_KEYS)
        name, datatype, shape = _string(given, "name"), _string(given, "datatype"), given.get("shape")
        if not isinstance(shape, list) or not shape or set(map(type, shape)) != {int}:
            raise InvalidRequest(f"the shape of input {shown(name)} must be a list of integers")
        header = checked_header(name, datatype, shape, engine, max_rows=max_rows)
        size = _parameters(given, f"input {name!r}").get("binary_data_size")
        if size is None:
            yield _from_json(header, given.get("data"))
        elif type(size) is not int or size < 0:
            raise InvalidRequest(f"binary_data_size of input {name!r} must be a whole number of bytes")
        elif "data" in given:
            raise InvalidRequest(f'input {name!r} has both "data" and binary_data_size; give one of them')
        else:
            yield from_raw(header, binary.take(size, name))


def _from_json(header: Header, data: object) -> Tensor:
    flat = _flattened(header, data)
    kind, word = (str, "strings") if header.datatype == BYTES else (int, "integers")
    if set(map(type, flat)) - {kind}:
        raise InvalidRequest(f"the data of input {header.name!r} must be {word}, and {word} only")
    return from_texts(header, flat) if header.datatype == BYTES else from_integers(header, flat)


def _flattened(header: Header, data: object) -> list[Any]:
    """The protocol lets data be flat, or nested as its shape is."""
    if not isinstance(data, list):
        raise InvalidRequest(f'input {header.name!r} needs "data", a list, or binary data')
    if len(header.shape) == 1 or not data or not isinstance(data[0], list):
        return data
    rows, width = header.shape
    if len(data) != rows or not all(isinstance(row, list) and len(row) == width for row in data):
        raise InvalidRequest(f"the data of input {header.name!r} is nested otherwise than its shape [{rows}, {width}]")
    return [element for row in data for element in row]


def _outputs(stated: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
    usual = _flag(parameters, "binary_data_output", "the request", otherwise=False)
    binary: dict[str, bool] = {}

    def names() -> Iterator[str]:
        for item in _list(stated, "outputs", required=False):
            given = _object(item, "an output", _OUTPUT_KEYS)
            name = _string(given, "name")
            binary[name] = _flag(_parameters(given, "an output"), "binary_data", "an output", otherwise=usual)
            yield name

    wanted = wanted_outputs(names())
    return {name: binary.get(name, usual) for name in wanted}


def _object(value: object, what: str, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object")
    unknown = value.keys() - keys
    if unknown:
        raise InvalidRequest(f"{what} has the unknown key {shown(min(unknown))}; known are {', '.join(sorted(keys))}")
    return value


def _list(stated: dict[str, Any], key: str, *, required: bool) -> Sequence[Any]:
    value = stated.get(key, None if required else [])
    if not isinstance(value, list) or (required and not value):
        raise InvalidRequest(
            f'"{key}" must be a list of at least one object' if required else f'"{key}" must be a list'
        )
    return value


def _string(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        raise InvalidRequest(f'every input and output needs "{key}", a string')
    return value


def _flag(parameters: dict[str, Any], key: str, what: str, *, otherwise: bool) -> bool:
    value = parameters.get(key, otherwise)
    if not isinstance(value, bool):
        raise InvalidRequest(f'the parameter "{key}" of {what} must be true or false')
    return value


def _parameters(given: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = given.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidRequest(f'"parameters" of {what} must be a JSON object')
    for name in UNSUPPORTED_PARAMETERS:
        if name in parameters:
            raise InvalidRequest(f"{what} has the parameter {name!r}, which this server does not support")
    return parameters


def _flat_data(tensor: OutputTensor) -> Any:
    return tensor.data if isinstance(tensor.data, list) else tensor.data.reshape(-1)
