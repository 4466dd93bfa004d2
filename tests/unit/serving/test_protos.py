"""The compiled messages of the gRPC protocol."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.unknown_fields import UnknownFieldSet
from tritonclient.grpc import service_pb2

from serving import protos
from serving.protos.messages import REQUESTS, RESPONSES

FOLDER = Path(next(iter(protos.__path__)))


def test_the_compiled_file_is_what_the_proto_compiles_to(tmp_path: Path) -> None:
    compiled = tmp_path / "compiled.binpb"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I", str(FOLDER)),
            *(f"--descriptor_set_out={compiled}", "open_inference.proto"),
        ],
        check=True,
    )

    committed = (FOLDER / "open_inference.binpb").read_bytes()
    assert FileDescriptorSet.FromString(committed) == FileDescriptorSet.FromString(compiled.read_bytes())


def test_the_messages_live_beside_those_of_a_client_in_the_same_process_and_mean_the_same() -> None:
    request = REQUESTS["ModelInfer"](model_name="m", model_version="2", id="r", raw_input_contents=[b"x"])
    request.parameters["timeout"].int64_param = 5
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    tensor.contents.bytes_contents.append(b"good")
    request.outputs.add(name="label")
    theirs = service_pb2.ModelInferRequest.FromString(request.SerializeToString())
    assert str(theirs) == str(request)
    assert not UnknownFieldSet(theirs)

    response = service_pb2.ModelInferResponse(model_name="m", id="r", raw_output_contents=[b"y"])
    response.outputs.add(name="label", datatype="BYTES", shape=[1]).contents.fp32_contents.append(0.5)
    assert str(RESPONSES["ModelInfer"].FromString(response.SerializeToString())) == str(response)
