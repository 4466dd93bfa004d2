"""The messages of the gRPC inference call: from the request to rows, and from the answer to the response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from serving.classifier import Answered
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.model_rows import Texts, Tokens, collected, output_tensors, rows_of, wanted_outputs
from serving.protos.messages import RESPONSES
from serving.tensors import (
    BYTES,
    UNSUPPORTED_PARAMETERS,
    Header,
    Tensor,
    checked_header,
    decoded,
    from_integers,
    from_raw,
    from_texts,
    timeout_seconds,
)

_InferResponse = RESPONSES["ModelInfer"]


@dataclass(frozen=True, slots=True)
class GrpcCall:
    """A request that holds every rule: its rows, the outputs it wants (in the raw form or not), how long it waits."""

    rows: Texts | Tokens
    outputs: Sequence[str]
    identity: str
    raw: bool
    timeout_s: float | None


def read_request(request: Any, engine: Engine, *, max_rows: int) -> GrpcCall:
    """The rows of a `ModelInferRequest`.

    Raises:
        InvalidRequest: in words; `RequestTooLarge` for more than `max_rows` rows.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidRequest(
            f"raw_input_contents has {len(raw)} entries for {len(request.inputs)} inputs; give one an input"
        )
    _check_parameters(request.parameters, "the request")
    for output in request.outputs:
        _check_parameters(output.parameters, "an output")
    return GrpcCall(
        rows_of(collected(_tensors(request, engine, max_rows)), engine),
        wanted_outputs(output.name for output in request.outputs),
        request.id,
        bool(raw),
        timeout_seconds(_value(request.parameters["timeout"]) if "timeout" in request.parameters else 0),
    )


def written_response(call: GrpcCall, answered: Answered) -> Any:
    """The `ModelInferResponse`: raw where the request was, and else in the fields of each datatype."""
    engine = answered.engine
    response = _InferResponse(model_name=engine.name, model_version=engine.version, id=call.identity)
    response.parameters["truncated"].int64_param = answered.truncated
    for tensor in output_tensors(answered, call.outputs):
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if call.raw:
            response.raw_output_contents.append(tensor.raw())
        elif isinstance(tensor.data, list):
            output.contents.bytes_contents.extend(label.encode() for label in tensor.data)
        else:
            output.contents.fp32_contents.extend(tensor.data.reshape(-1).tolist())
    return response


def _tensors(request: Any, engine: Engine, max_rows: int) -> Iterator[Tensor]:
    raw = request.raw_input_contents
    for index, given in enumerate(request.inputs):
        header = checked_header(given.name, given.datatype, list(given.shape), engine, max_rows=max_rows)
        _check_parameters(given.parameters, f"input {given.name!r}")
        if not raw:
            yield _typed(header, given.contents)
        elif given.HasField("contents"):
            raise InvalidRequest(f"input {given.name!r} has contents beside raw_input_contents; give one of them")
        else:
            yield from_raw(header, raw[index])


def _typed(header: Header, contents: Any) -> Tensor:
    if header.datatype == BYTES:
        elements = contents.bytes_contents
        return from_texts(header, [decoded(header, element, index) for index, element in enumerate(elements)])
    return from_integers(header, contents.int64_contents)


def _value(parameter: Any) -> object:
    kind = parameter.WhichOneof("parameter_choice")
    return None if kind is None else getattr(parameter, kind)


def _check_parameters(parameters: Any, what: str) -> None:
    for name in UNSUPPORTED_PARAMETERS:
        if name in parameters:
            raise InvalidRequest(f"{what} has the parameter {name!r}, which this server does not support")
