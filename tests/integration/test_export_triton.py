"""Exported model repositories in a real tritonserver, asked by Triton's own clients over HTTP and gRPC."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from evalkit.export_server.source import read_source
from evalkit.export_server.triton import Backend, TritonOptions, write_triton
from serving.engine import Engine
from serving.provider import Provider
from tests.integration.triton_server import Triton, installed, running_triton
from tests.model_folders import POISON, write_tiny_model_folder

TEXTS = ["good day", "", "a " * 40, "the very bad film", "naïve ☂ 日本", "plain", "not good not bad"]
# In place of Triton's ONNX Runtime backend, which the wheel does not hold: the same model, inputs and outputs.
STAND_IN = """
import onnxruntime
import triton_python_backend_utils as pb_utils
from pathlib import Path

class TritonPythonModel:
    def initialize(self, args):
        path = Path(__file__).with_name("model.onnx")
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        names = [each.name for each in self.session.get_inputs()]
        inputs = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in names}
        (logits,) = self.session.run(["logits"], inputs)
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("logits", logits)])
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        installed() is None,
        reason="no tritonserver: set EVALKIT_TRITON_PYTHON to a Python with nvidia-pytriton, tokenizers, onnxruntime",
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_tiny_model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", params=list(Backend))
def triton(request, model, tmp_path_factory):
    where = installed()
    assert where is not None
    work = tmp_path_factory.mktemp(f"triton-{request.param}")
    write_triton(read_source(model), work / "out", TritonOptions(backend=request.param))
    models = work / "out" / "models"
    if request.param is Backend.ONNXRUNTIME:
        stated = models / "tiny_onnx" / "config.pbtxt"
        stated.write_text(stated.read_text().replace('backend: "onnxruntime"', 'backend: "python"'))
        (models / "tiny_onnx" / "1" / "model.py").write_text(STAND_IN)
    with running_triton(where, models, work) as server:
        yield server


@pytest.fixture(scope="module")
def expected(model) -> np.ndarray:
    engine = Engine.load(model, provider=Provider.CPU)
    return engine.classify(TEXTS).probabilities


def ask(protocol, address: str, texts: list[bytes], **options):
    """One request through tritonclient.http or tritonclient.grpc, whose interfaces are the same."""
    client = protocol.InferenceServerClient(address)
    try:
        text = protocol.InferInput("text", [len(texts), 1], "BYTES")
        text.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(-1, 1))
        return client.infer("tiny", [text], **options)
    finally:
        client.close()


@pytest.mark.parametrize("name", ["http", "grpc"])
def test_the_answers_are_those_of_the_engine(triton: Triton, expected, name):
    protocol = pytest.importorskip(f"tritonclient.{name}")
    answer = ask(protocol, getattr(triton, name), [text.encode() for text in TEXTS])
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, rtol=1e-5, atol=1e-7)
    assert answer.as_numpy("truncated").ravel().tolist() == [text == TEXTS[2] for text in TEXTS]


def test_many_requests_at_once_are_not_mixed_up(triton: Triton, expected):
    protocol = pytest.importorskip("tritonclient.http")
    chosen = np.random.default_rng(5).integers(0, len(TEXTS), 200)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda at: ask(protocol, triton.http, [TEXTS[at].encode()]), chosen))
    found = np.concatenate([each.as_numpy("probabilities") for each in answers])
    np.testing.assert_allclose(found, expected[chosen], rtol=1e-5, atol=1e-7)


def test_what_cannot_be_answered_is_an_error_of_its_own(triton: Triton):
    protocol = pytest.importorskip("tritonclient.http")
    from tritonclient.utils import InferenceServerException

    for texts, message in (
        ([b"good", b"\xff"], "text 1 of 2 is not valid UTF-8"),
        ([POISON.encode()], "not finite"),
        ([b"good"] * 17, "batch-size must be <= 16"),
    ):
        with pytest.raises(InferenceServerException, match=message):
            ask(protocol, triton.http, texts)


def test_the_labels_are_triton_s_too(triton: Triton):
    protocol = pytest.importorskip("tritonclient.http")
    wanted = [protocol.InferRequestedOutput("probabilities", class_count=1)]
    answer = ask(protocol, triton.http, [b"good", b"bad"], outputs=wanted).as_numpy("probabilities")
    assert [each.decode().split(":")[2] for each in answer.ravel()] == ["positive", "negative"]


def test_a_changed_file_keeps_triton_from_starting(model, tmp_path):
    where = installed()
    assert where is not None
    write_triton(read_source(model), tmp_path / "out", TritonOptions())
    changed = tmp_path / "out/models/tiny/1/model.onnx"
    shutil.copy(write_tiny_model_folder(tmp_path / "other", seed=9) / "model.onnx", changed)
    with (
        pytest.raises(AssertionError, match=r"model\.onnx has sha256"),
        running_triton(where, tmp_path / "out/models", tmp_path),
    ):
        pass
