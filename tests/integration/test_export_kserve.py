"""The InferenceService read and written again by KServe's own types."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evalkit.export_server.kserve import KServeOptions, write_kserve
from evalkit.export_server.placement import Device, Placement
from evalkit.export_server.source import read_source

PYTHON = os.environ.get("EVALKIT_KSERVE_PYTHON", sys.executable)
# A key that no type knows is lost on the way, so that what comes back differs.
ROUND_TRIP = """
import sys, yaml
import kserve.models, kubernetes.client.models
from kubernetes.client import ApiClient
for name in dir(kserve.models):
    setattr(kubernetes.client.models, name, getattr(kserve.models, name))
stated = yaml.safe_load(open(sys.argv[1]))
api = ApiClient()
read = api._ApiClient__deserialize(stated, kserve.models.V1beta1InferenceService)
assert api.sanitize_for_serialization(read) == stated, api.sanitize_for_serialization(read)
"""
FINDS = "import importlib.util as u, sys; sys.exit(u.find_spec('kserve') is None)"


@pytest.mark.skipif(
    subprocess.run([PYTHON, "-c", FINDS], check=False).returncode != 0,
    reason="no KServe types: set EVALKIT_KSERVE_PYTHON to a Python with kserve and kubernetes<34",
)
@pytest.mark.parametrize("storage_uri", [None, "s3://bucket/student"])
@pytest.mark.parametrize("device", list(Device))
def test_kserve_s_own_types_know_every_key(tiny_model_folder, tmp_path, storage_uri, device):
    options = KServeOptions(image="registry/student:1", storage_uri=storage_uri, placement=Placement(provider=device))
    write_kserve(read_source(tiny_model_folder), tmp_path, options)
    path = tmp_path / "inference_service.yaml"

    def round_trip() -> subprocess.CompletedProcess[str]:
        return subprocess.run([PYTHON, "-c", ROUND_TRIP, path], capture_output=True, text=True, check=False)

    done = round_trip()
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text().replace("readinessProbe", "readynessProbe"))
    assert round_trip().returncode != 0, "the types must be able to see a wrong key"
