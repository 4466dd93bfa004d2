"""The messages and calls of `open_inference.proto`, in a pool of their own.

The usual generated modules register their messages for the whole process. A client of the protocol in the same
process does so too, under the same names, and one of the two then fails; and each generated module is tied to the
versions of protobuf that it was made for.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SERVICE = "inference.GRPCInferenceService"


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    compiled = files(__package__).joinpath("open_inference.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(compiled).file:
        pool.Add(file)
    return pool


_POOL = _pool()
# Name of a call → what it takes.
REQUESTS: dict[str, Any] = {
    call.name: GetMessageClass(call.input_type) for call in _POOL.FindServiceByName(SERVICE).methods
}
# Name of a call → what it answers.
RESPONSES: dict[str, Any] = {
    call.name: GetMessageClass(call.output_type) for call in _POOL.FindServiceByName(SERVICE).methods
}
