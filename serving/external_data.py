"""Finds tensors that an ONNX file keeps in other files, without needing the onnx package.

A manifest's digests cover `model.onnx`; weights in a file beside it would escape them, and a path in the
model could point anywhere on the disk. So a model with external data is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from serving.errors import ModelFolderError

_EXTERNAL_DATA = 13  # TensorProto.external_data
_DATA_LOCATION = 14  # TensorProto.data_location, 1 = EXTERNAL
_NAME = 8  # TensorProto.name

# Message → field number → message below it, from onnx.proto3. Only paths that lead to a TensorProto.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def external_tensor(model: memoryview) -> str | None:
    """The name of a tensor whose data lies outside the file, or None if every tensor is inside.

    Raises:
        ModelFolderError: the bytes are no protobuf message, such as a file cut short.
    """
    pending = [("model", model)]
    while pending:
        kind, message = pending.pop()
        if kind == "tensor":
            name = _external_name(message)
            if name is not None:
                return name
            continue
        children = _CHILDREN[kind]
        pending.extend(
            (children[number], value)
            for number, value in _fields(message)
            if number in children and isinstance(value, memoryview)
        )
    return None


def _external_name(tensor: memoryview) -> str | None:
    name, external = "(unnamed)", False
    for number, value in _fields(tensor):
        if number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", errors="replace")
        external = external or number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1)
    return name if external else None


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Each field of a protobuf message: its number, and its bytes (wire type 2) or integer."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            length, position = _varint(message, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ModelFolderError(f"wire type {wire} at byte {position} is not ONNX; export the model again")
        end = position + length
        if end > len(message):
            raise ModelFolderError(f"the file ends {end - len(message)} bytes early; export the model again")
        yield number, message[position:end]
        position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ModelFolderError("a number runs past the end of the file; export the model again")
