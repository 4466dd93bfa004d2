"""The Triton model repository: its configuration is Triton's own, and its model answers as the engine does."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from evalkit.export_server.errors import ExportError
from evalkit.export_server.placement import Device, Placement
from evalkit.export_server.source import read_source
from evalkit.export_server.triton import Backend, TritonOptions, write_triton
from serving.engine import Engine
from serving.provider import Provider
from tests.model_folders import LABELS, MAX_LENGTH, POISON, write_tiny_model_folder
from tests.unit.export_server import fake_triton

# Triton's own numbers, from model_config.proto
TYPE = {"TYPE_INT64": 9, "TYPE_FP32": 11, "TYPE_STRING": 13}
TEXTS = ["good day", "", "a " * 40, "the very bad film", "naïve ☂ 日本", "plain", "not good not bad"]


def exported(model: Path, out: Path, **options) -> Path:
    write_triton(read_source(model), out, TritonOptions(**options))
    return out / "models"


def config(path: Path):
    """config.pbtxt as the message that Triton itself reads. It raises for a field that Triton does not know."""
    from google.protobuf import text_format
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig())


def test_the_configuration_batches_without_delay_and_refuses_beyond_its_queue(tiny_model_folder, tmp_path):
    models = exported(tiny_model_folder, tmp_path / "out", placement=Placement(max_batch_rows=32), queue_limit=99)
    read = config(models / "tiny" / "config.pbtxt")
    assert (read.name, read.backend, read.max_batch_size) == ("tiny", "python", 32)
    batching = read.dynamic_batching
    assert read.HasField("dynamic_batching")
    assert (list(batching.preferred_batch_size), batching.max_queue_delay_microseconds) == ([32], 0)
    assert batching.default_queue_policy.max_queue_size == 99
    assert batching.default_queue_policy.timeout_action == batching.default_queue_policy.REJECT
    assert [(each.name, each.data_type, list(each.dims)) for each in read.input] == [("text", TYPE["TYPE_STRING"], [1])]
    assert [(each.name, list(each.dims)) for each in read.output] == [("probabilities", [3]), ("truncated", [1])]
    assert (models / "tiny" / read.output[0].label_filename).read_text() == "".join(f"{each}\n" for each in LABELS)
    assert read.parameters["model_version"].string_value == read_source(tiny_model_folder).version


def test_the_device_is_that_of_whoever_computes(tiny_model_folder, tmp_path):
    gpu = Placement(provider=Device.CUDA, threads=3)
    one = exported(tiny_model_folder, tmp_path / "one", placement=gpu)
    two = exported(tiny_model_folder, tmp_path / "two", placement=gpu, backend=Backend.ONNXRUNTIME)
    kinds = {}
    for path in (one / "tiny", two / "tiny", two / "tiny_onnx"):
        (group,) = config(path / "config.pbtxt").instance_group
        kinds[f"{path.parent.parent.name}/{path.name}"] = group.Kind.Name(group.kind)
    assert kinds == {"one/tiny": "KIND_GPU", "two/tiny": "KIND_CPU", "two/tiny_onnx": "KIND_GPU"}
    assert "onnxruntime-gpu[cuda,cudnn]==" in (tmp_path / "one" / "requirements.txt").read_text()
    assert "onnxruntime" not in (tmp_path / "two" / "requirements.txt").read_text()


def test_the_onnx_runtime_model_is_declared_as_the_file_is(tiny_model_folder, tmp_path):
    models = exported(tiny_model_folder, tmp_path / "out", backend=Backend.ONNXRUNTIME)
    read = config(models / "tiny_onnx" / "config.pbtxt")
    session = ort.InferenceSession(models / "tiny_onnx" / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    assert read.backend == "onnxruntime"
    assert [each.name for each in read.input] == [each.name for each in session.get_inputs()]
    assert {each.data_type for each in read.input} == {TYPE["TYPE_INT64"]}
    assert [(each.name, each.data_type, list(each.dims)) for each in read.output] == [
        ("logits", TYPE["TYPE_FP32"], [3])
    ]
    assert not (models / "tiny" / "1" / "model.onnx").exists()


def test_the_exported_model_answers_as_the_engine_does(tiny_model_folder, tmp_path, monkeypatch):
    models = exported(tiny_model_folder, tmp_path / "out")
    model, _ = fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch)
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    encoded = engine.encode(TEXTS)
    batch = [TEXTS[:1], TEXTS[1:4], TEXTS[4:]]
    responses = model.execute([fake_triton.request([text.encode() for text in texts]) for texts in batch])
    assert [len(each.outputs["probabilities"]) for each in responses] == [1, 3, 3]
    answers = np.concatenate([each.outputs["probabilities"] for each in responses])
    assert answers.dtype == np.float32
    np.testing.assert_array_equal(answers, engine.probabilities(encoded))
    truncated = np.concatenate([each.outputs["truncated"] for each in responses])
    assert truncated.tolist() == [[each.truncated] for each in encoded]
    assert truncated.sum() == 1


def test_the_tokenising_model_asks_the_onnx_model_for_the_whole_batch(tiny_model_folder, tmp_path, monkeypatch):
    models = exported(tiny_model_folder, tmp_path / "out", backend=Backend.ONNXRUNTIME)
    model, triton = fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch)
    session = ort.InferenceSession(models / "tiny_onnx" / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    asked = []

    def onnx_model(inputs):
        asked.append(inputs["input_ids"].shape)
        return triton.InferenceResponse([triton.Tensor("logits", session.run(["logits"], inputs)[0])])

    monkeypatch.setitem(triton.InferenceRequest.models, "tiny_onnx", onnx_model)
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    responses = model.execute([fake_triton.request([text.encode()]) for text in TEXTS])
    answers = np.concatenate([each.outputs["probabilities"] for each in responses])
    np.testing.assert_array_equal(answers, engine.probabilities(engine.encode(TEXTS)))
    assert asked == [(len(TEXTS), MAX_LENGTH)]


def test_what_cannot_be_answered_fails_alone(tiny_model_folder, tmp_path, monkeypatch):
    models = exported(tiny_model_folder, tmp_path / "out")
    model, triton = fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch)
    bodies = [[b"good"], [b"plain", b"\xff"], [POISON.encode()], [b"bad"]]
    responses = model.execute([fake_triton.request(each) for each in bodies])
    assert [each.has_error() for each in responses] == [False, True, True, False]
    assert responses[1].error().message() == "text 1 of 2 is not valid UTF-8; clean the input"
    assert responses[1].error().code == triton.TritonError.INVALID_ARG
    assert "not finite" in responses[2].error().message()
    alone = model.execute([fake_triton.request([b"bad"])])[0]
    np.testing.assert_array_equal(alone.outputs["probabilities"], responses[3].outputs["probabilities"])


def test_a_batch_that_breaks_is_tried_request_by_request(tiny_model_folder, tmp_path, monkeypatch):
    models = exported(tiny_model_folder, tmp_path / "out")
    model, _ = fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch)
    computed = model.model.logits

    def breaks_on_three_rows(inputs):
        if len(inputs["input_ids"]) >= 3:
            raise RuntimeError("no memory for 3 rows")
        return computed(inputs)

    model.model.logits = breaks_on_three_rows
    responses = model.execute([fake_triton.request(each) for each in ([b"good"], [b"a", b"bad", b"a"], [b"bad"])])
    assert [each.has_error() for each in responses] == [False, True, False]
    assert responses[1].error().message() == "no memory for 3 rows"


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_file_that_changed_after_the_export_is_not_served(tiny_model_folder, tmp_path, monkeypatch, file):
    models = exported(tiny_model_folder, tmp_path / "out")
    changed = models / "tiny" / "1" / file
    changed.write_bytes(changed.read_bytes() + b" ")
    with pytest.raises(ValueError, match=rf"{file} has sha256 .*, the manifest says"):
        fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch)


def test_a_gpu_instance_without_a_working_cuda_does_not_start(tiny_model_folder, tmp_path, monkeypatch, capfd):
    if ort.get_device() == "GPU" and Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    models = exported(tiny_model_folder, tmp_path / "out")
    with pytest.raises(RuntimeError, match="instance_group says KIND_GPU"):
        fake_triton.opened(models / "tiny" / "1" / "model.py", monkeypatch, kind="GPU")
    capfd.readouterr()


@pytest.mark.parametrize("backend", list(Backend))
def test_the_exported_code_is_in_order(tiny_model_folder, tmp_path, backend):
    models = exported(tiny_model_folder, tmp_path / "out", backend=backend)
    root = Path(__file__).parents[3]
    for words in (("check", "--ignore", "BLE001"), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--config", root / "pyproject.toml", models / "tiny/1/model.py"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_a_label_with_a_line_break_is_refused(tmp_path):
    model = write_tiny_model_folder(tmp_path / "model", labels=("yes", "no\nwell"))
    with pytest.raises(ExportError, match="label 'no\\\\nwell' holds a line break"):
        exported(model, tmp_path / "out")


def test_the_manifest_travels_with_the_model(tiny_model_folder, tmp_path):
    models = exported(tiny_model_folder, tmp_path / "out")
    manifest = json.loads((models / "tiny" / "1" / "manifest.json").read_text())
    for file, digest in manifest["files"].items():
        assert hashlib.sha256((models / "tiny" / "1" / file).read_bytes()).hexdigest() == digest
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "no verdict" in readme
    assert "was not built" in readme
