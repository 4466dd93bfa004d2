"""The gRPC port of a server process: how it starts, or does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving_process import START_S, arguments, running

pytestmark = pytest.mark.alone


def test_without_the_option_there_is_no_grpc_port(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        assert "grpc_port" not in server.ready


TAKEN_LATER = (
    "import sys\nimport serving.running\nserving.running.require_grpc = lambda host, port: None\n"
    "from serving.__main__ import main\nsys.exit(main())\n"
)


@pytest.mark.parametrize("program", [["-m", "serving"], ["-c", TAKEN_LATER]], ids=["before", "while it loads"])
def test_a_grpc_port_in_use_is_one_line_and_exit_2(tiny_model_folder: Path, program: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [
                *(sys.executable, "-W", "error", *program),
                *arguments(tiny_model_folder, "--port", "0", "--grpc-port", str(port)),
            ],
            capture_output=True,
            text=True,
            timeout=START_S,
            env={**os.environ, "GRPC_VERBOSITY": "NONE"},
        )

    assert (result.returncode, result.stdout) == (2, "")
    assert f"port {port} on 127.0.0.1" in result.stderr
    assert result.stderr.endswith("stop what listens there or give --grpc-port\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["grpc", "google.protobuf"])
def test_a_missing_library_is_one_line_and_exit_2(tiny_model_folder: Path, missing: str) -> None:
    program = f"import sys\nsys.modules[{missing!r}] = None\nfrom serving.__main__ import main\nsys.exit(main())\n"
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments(tiny_model_folder, "--port", "0", "--grpc-port", "0")],
        capture_output=True,
        text=True,
        timeout=START_S,
    )

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("--grpc-port needs grpcio and protobuf (")
    assert result.stderr.count("\n") == 1


def test_a_server_without_grpc_needs_none_of_its_libraries(tiny_model_folder: Path) -> None:
    program = (
        "import sys\nsys.modules['grpc'] = sys.modules['google.protobuf'] = None\n"
        "from serving.__main__ import main\nsys.exit(main())\n"
    )
    with running(tiny_model_folder, program=program) as server:
        assert server.classify().status == 200
        assert server.stop() == (0, "")
