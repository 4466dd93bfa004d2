"""The protobuf walk finds external tensors wherever ONNX allows a tensor."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from serving.errors import ModelFolderError
from serving.external_data import external_tensor


def tensor(name: str, *, external: bool) -> TensorProto:
    result = numpy_helper.from_array(np.arange(4, dtype=np.float32), name)
    if external:
        result.ClearField("raw_data")
        result.data_location = TensorProto.EXTERNAL
        result.external_data.add(key="location", value="../secret.bin")
    return result


def model(*, external: bool, place: str) -> ModelProto:
    found = tensor("hidden", external=external)
    constant = helper.make_node("Constant", [], ["c"], value=found)
    inner = helper.make_graph([constant], "inner", [], [], [])
    initializers = [found] if place == "initializer" else []
    nodes = {
        "initializer": [],
        "constant": [constant],
        "branch": [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)],
        "function": [],
    }[place]
    graph = helper.make_graph(nodes, "outer", [], [], initializers)
    result = helper.make_model(graph)
    if place == "function":
        result.functions.append(helper.make_function("d", "f", [], ["c"], [constant], []))
    return result


@pytest.mark.parametrize("place", ["initializer", "constant", "branch", "function"])
def test_an_external_tensor_is_found_wherever_it_hides(place: str) -> None:
    outside = model(external=True, place=place).SerializeToString()
    inside = model(external=False, place=place).SerializeToString()

    assert external_tensor(memoryview(outside)) == "hidden"
    assert external_tensor(memoryview(inside)) is None


def test_a_file_cut_short_is_no_model() -> None:
    whole = model(external=False, place="initializer").SerializeToString()

    with pytest.raises(ModelFolderError, match="early"):
        external_tensor(memoryview(whole[:-1]))
