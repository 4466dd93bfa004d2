"""What the containers would run, run here: the real server with the exported arguments, probes and health check."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from evalkit.export_server.docker import DockerOptions, write_docker
from evalkit.export_server.kserve import KServeOptions, write_kserve
from evalkit.export_server.source import read_source

START_S = 30


@contextmanager
def container(command: list[str], model: Path) -> Iterator[int]:
    """Runs a container's command with this interpreter, its own model folder and a free port, which is given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert command[0] == "python"
    here = [sys.executable, "-W", "error", *command[1:3], str(model), *command[4:]]
    here[here.index("--port") + 1] = str(port)
    process = subprocess.Popen(here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _wait(process, port)
        yield port
        process.terminate()
        assert process.wait(START_S) == 0, "SIGTERM must end it cleanly"
    finally:
        process.kill()
        process.communicate()


def _wait(process: subprocess.Popen[str], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        try:
            if answer(port, "/v2/health/ready") == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not become ready")


def answer(port: int, path: str, body: object = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=data, timeout=10) as response:
        response.read()
        return int(response.status)


def test_the_image_s_command_serves_the_copied_model_and_its_health_check_knows(tiny_model_folder, tmp_path):
    write_docker(read_source(tiny_model_folder), tmp_path, DockerOptions(max_batch_rows=8))
    text = (tmp_path / "Dockerfile").read_text()
    commands = [json.loads(line.split("CMD", 1)[1]) for line in text.splitlines() if line.lstrip().startswith("CMD [")]
    health, command = commands
    with container(command, tmp_path / "model") as port:
        assert answer(port, "/v1/classify", {"texts": ["good day"]}) == 200
        asked = [sys.executable, *(re.sub(":8080/", f":{port}/", word) for word in health[1:])]
        assert subprocess.run(asked, check=False).returncode == 0
    assert subprocess.run(asked, check=False, capture_output=True).returncode != 0, "a server that is gone is unhealthy"


@pytest.mark.parametrize("storage_uri", [None, "s3://bucket/student"])
def test_the_service_s_command_answers_its_probes(tiny_model_folder, tmp_path, storage_uri):
    write_kserve(read_source(tiny_model_folder), tmp_path, KServeOptions(image="r/s:1", storage_uri=storage_uri))
    stated = yaml.safe_load((tmp_path / "inference_service.yaml").read_text())
    (running,) = stated["spec"]["predictor"]["containers"]
    model = tiny_model_folder if storage_uri is None else tmp_path / "model"
    with container([*running["command"], *running["args"]], model) as port:
        for probe in ("readinessProbe", "livenessProbe"):
            assert answer(port, running[probe]["httpGet"]["path"]) == 200
            assert running[probe]["httpGet"]["port"] == running["ports"][0]["containerPort"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            answer(port, "/v2/health/no-such")
