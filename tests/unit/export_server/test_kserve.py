"""The InferenceService: what KServe is told is what the server does."""

from __future__ import annotations

import re

import pytest
import yaml

from evalkit.export_server.errors import ExportError
from evalkit.export_server.kserve import KServeOptions, service_name, write_kserve
from evalkit.export_server.placement import Device, Placement
from evalkit.export_server.source import read_source


def manifest(model, folder, **options):
    folder.mkdir()
    write_kserve(read_source(model), folder, KServeOptions(image="registry/student:1", **options))
    return yaml.safe_load((folder / "inference_service.yaml").read_text())


def container_of(stated):
    (container,) = stated["spec"]["predictor"]["containers"]
    return container


def test_the_protocol_is_the_open_inference_protocol_and_the_probes_are_its_own(tiny_model_folder, tmp_path):
    stated = manifest(tiny_model_folder, tmp_path / "out")
    assert (stated["apiVersion"], stated["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    container = container_of(stated)
    # KServe's admission looks for the predictor under this name, and for the protocol in this variable
    assert container["name"] == "kserve-container"
    assert container["env"] == [{"name": "PROTOCOL", "value": "v2"}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert container["livenessProbe"]["httpGet"] == {"path": "/v2/health/live", "port": 8080}
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["args"][0] == "/model"
    assert not (tmp_path / "out" / "model").exists()


def test_the_pod_lives_longer_than_the_server_drains(tiny_model_folder, tmp_path):
    stated = manifest(tiny_model_folder, tmp_path / "out")
    arguments = container_of(stated)["args"]
    drain = int(arguments[arguments.index("--drain-s") + 1])
    assert stated["spec"]["predictor"]["terminationGracePeriodSeconds"] > drain


def test_with_a_storage_uri_kserve_mounts_the_model(tiny_model_folder, tmp_path):
    stated = manifest(tiny_model_folder, tmp_path / "out", storage_uri="s3://bucket/student")
    container = container_of(stated)
    assert {"name": "STORAGE_URI", "value": "s3://bucket/student"} in container["env"]
    assert container["args"][0] == "/mnt/models"
    assert read_source(tmp_path / "out" / "model").version == read_source(tiny_model_folder).version


def test_the_digests_and_the_verdict_are_annotations(tiny_model_folder, tmp_path):
    source = read_source(tiny_model_folder)
    annotations = manifest(tiny_model_folder, tmp_path / "out")["metadata"]["annotations"]
    assert annotations["evalkit/model-version"] == source.version
    assert annotations["evalkit/verdict"] == "none"
    assert annotations["evalkit/sha256.model.onnx"] == source.manifest.files["model.onnx"]


def test_a_gpu_is_asked_for_where_the_server_wants_one(tiny_model_folder, tmp_path):
    cpu = container_of(manifest(tiny_model_folder, tmp_path / "cpu"))
    cuda = container_of(manifest(tiny_model_folder, tmp_path / "cuda", placement=Placement(provider=Device.CUDA)))
    assert "nvidia.com/gpu" not in cpu["resources"]["limits"]
    assert cuda["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert cuda["args"][cuda["args"].index("--provider") + 1] == "cuda"


@pytest.mark.parametrize("name", ["a", "Channel_Sentiment.v2", "3-layers", "x" * 300, "A-._-", "9"])
def test_every_model_name_becomes_a_name_that_kubernetes_takes(name):
    made = service_name(name)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", made)  # KServe's own rule
    assert len(made) <= 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": ""}, "--image is ''"),
        ({"image": "a b"}, "--image is 'a b'"),
        ({"image": "a", "storage_uri": "bucket/model"}, "--storage-uri is 'bucket/model'; give a URI"),
    ],
)
def test_what_kserve_could_not_use_is_refused(options, message):
    with pytest.raises(ExportError, match=re.escape(message)):
        KServeOptions(**options)


@pytest.mark.parametrize(("field", "flag"), [("threads", "--threads"), ("max_batch_rows", "--max-batch-rows")])
def test_less_than_one_thread_or_row_is_refused(field, flag):
    with pytest.raises(ExportError, match=f"{flag} is 0; give at least 1"):
        Placement(**{field: 0})
