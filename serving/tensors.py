"""The tensors of the Open Inference Protocol v2: checked before they are read, whatever the wire format.

A model takes either texts (`text`) or what its tokenizer would make of them (`input_ids`, with `attention_mask` where
rows are padded). It gives `probabilities` and, for people, the `label` of the largest one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from serving.engine import Engine
from serving.errors import InvalidRequest, RequestTooLarge

BYTES, INT64, FP32 = "BYTES", "INT64", "FP32"
TEXT, IDS, MASK, SEGMENTS = "text", "input_ids", "attention_mask", "token_type_ids"
PROBABILITIES, LABEL = "probabilities", "label"
OUTPUTS = {PROBABILITIES: FP32, LABEL: BYTES}
# The ranks of each datatype: texts are [n] or [n, 1], token ids are [n, tokens].
RANKS = {BYTES: (1, 2), INT64: (2,)}

# Parameters of Triton's extensions that change the meaning of a tensor: ignoring one would give a wrong answer.
UNSUPPORTED_PARAMETERS = ("shared_memory_region", "classification")

_INPUTS = {TEXT: BYTES, IDS: INT64, MASK: INT64}
_INPUTS_WITH_SEGMENTS = {**_INPUTS, SEGMENTS: INT64}
_LENGTH = struct.Struct("<I")
_INT64_BYTES = 8
_US_PER_S = 1_000_000
_SHOWN_CHARS = 60

Shape: TypeAlias = Sequence[int]


@dataclass(frozen=True, slots=True)
class Header:
    """What a request says of an input before its data: a known name, its datatype, and a shape that may be served."""

    name: str
    datatype: str
    shape: Shape

    @property
    def size(self) -> int:
        """How many elements the data must have."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input with its data: str for BYTES, flat; int64 [n, tokens] for INT64."""

    header: Header
    data: Any


def inputs_of(engine: Engine) -> dict[str, str]:
    """The name of every input and its datatype."""
    return _INPUTS_WITH_SEGMENTS if engine.takes_segments else _INPUTS


def checked_header(name: str, datatype: str, shape: Shape, engine: Engine, *, max_rows: int) -> Header:
    """The header, once this model takes such an input.

    Raises:
        InvalidRequest: no such input, or another datatype or shape.
        RequestTooLarge: more than `max_rows` rows.
    """
    expected = inputs_of(engine).get(name)
    if expected is None:
        raise InvalidRequest(f"the model has no input {shown(name)}; its inputs are {', '.join(inputs_of(engine))}")
    if datatype != expected:
        raise InvalidRequest(f"input {name!r} has datatype {shown(datatype)}; it must be {expected}")
    if len(shape) not in RANKS[datatype] or (datatype == BYTES and len(shape) > 1 and shape[1] != 1):
        wanted = "[n] or [n, 1]" if datatype == BYTES else "[n, tokens]"
        raise InvalidRequest(f"input {name!r} has shape {_shown_shape(shape)}; it must be {wanted}")
    if min(shape) < 1:
        raise InvalidRequest(f"input {name!r} has shape {_shown_shape(shape)}; every dimension must be at least 1")
    if shape[0] > max_rows:
        raise RequestTooLarge(f"input {name!r} has {shape[0]} rows, the limit is {max_rows}; split the request")
    if datatype == INT64 and shape[1] > engine.max_length:
        raise InvalidRequest(
            f"input {name!r} has {shape[1]} tokens a row, the model reads {engine.max_length}; cut them"
        )
    return Header(name, datatype, shape)


def from_raw(header: Header, raw: bytes | memoryview) -> Tensor:
    """A tensor in the binary form: little-endian, row-major; each BYTES element after its length in 4 bytes.

    Raises:
        InvalidRequest: the bytes are not exactly the shape's elements, or a text is not UTF-8.
    """
    if header.datatype == BYTES:
        return Tensor(header, _texts(header, raw))
    if len(raw) != header.size * _INT64_BYTES:
        raise InvalidRequest(
            f"input {header.name!r} has {len(raw)} bytes; its shape {_shown_shape(header.shape)} of INT64 "
            f"takes {header.size * _INT64_BYTES}"
        )
    return Tensor(header, np.frombuffer(raw, dtype="<i8").reshape(header.shape))


def from_texts(header: Header, texts: Sequence[str]) -> Tensor:
    """A BYTES tensor of texts.

    Raises:
        InvalidRequest: their number is not the shape's.
    """
    return Tensor(header, _counted(header, texts))


def from_integers(header: Header, integers: Sequence[int]) -> Tensor:
    """An INT64 tensor of integers in row-major order.

    Raises:
        InvalidRequest: their number is not the shape's, or one does not fit 64 bits.
    """
    try:
        data = np.array(_counted(header, integers), dtype=np.int64)
    except OverflowError as error:
        raise InvalidRequest(f"input {header.name!r} has a number beyond INT64") from error
    return Tensor(header, data.reshape(header.shape))


def decoded(header: Header, raw: bytes | memoryview, position: int) -> str:
    """The text of one BYTES element.

    Raises:
        InvalidRequest: it is not UTF-8.
    """
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"element {position} of input {header.name!r} is not UTF-8 (byte {error.start}: {error.reason})"
        ) from error


def packed(texts: Sequence[str]) -> bytes:
    """BYTES elements in the binary form."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def timeout_seconds(timeout: object) -> float | None:
    """The parameter `timeout` of Triton's clients, in microseconds; 0 is none.

    Raises:
        InvalidRequest: it is no number of microseconds.
    """
    if type(timeout) is not int or timeout < 0:
        raise InvalidRequest('the parameter "timeout" must be a whole number of microseconds')
    return timeout / _US_PER_S if timeout else None


def shown(value: object) -> str:
    """A client's value as an error message shows it: quoted, and cut where it is long."""
    text = value[: _SHOWN_CHARS + 1] if isinstance(value, str) else type(value).__name__
    return repr(text) if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]!r}…"


def _texts(header: Header, raw: bytes | memoryview) -> list[str]:
    texts: list[str] = []
    start, end = 0, len(raw)
    while start < end and len(texts) < header.size:
        data = start + _LENGTH.size
        stop = data + _LENGTH.unpack_from(raw, start)[0] if data <= end else end + 1
        if stop > end:
            raise InvalidRequest(f"element {len(texts)} of input {header.name!r} ends beyond its data of {end} bytes")
        texts.append(decoded(header, raw[data:stop], len(texts)))
        start = stop
    if start != end:
        raise InvalidRequest(
            f"input {header.name!r} has {end - start} bytes more than the {header.size} elements of its shape"
        )
    _counted(header, texts)
    return texts


def _counted(header: Header, data: Sequence[Any]) -> Sequence[Any]:
    if len(data) != header.size:
        raise InvalidRequest(
            f"input {header.name!r} has {len(data)} elements; "
            f"its shape {_shown_shape(header.shape)} takes {header.size}"
        )
    return data


def _shown_shape(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape[:4]))}{', …' if len(shape) > 4 else ''}]"
