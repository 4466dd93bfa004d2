"""The server as a process: its ready line, its answers, its refusals and its ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from serving.engine import Engine
from serving.provider import Provider
from tests.serving_process import START_S, Client, body_of, command, exchange, running

pytestmark = pytest.mark.alone


def test_the_served_answers_are_the_engines(tiny_model_folder: Path) -> None:
    engine = Engine.load(tiny_model_folder, provider=Provider.CPU)
    texts = ["good day", "the service is not bad", "plain", "day " * 30]
    with running(tiny_model_folder) as server:
        assert server.ready == {
            "event": "ready",
            "scheme": "http",
            "host": "127.0.0.1",
            "port": server.ready["port"],
            "pid": server.process.pid,
            "provider": "cpu",
            "model": "tiny",
            "version": engine.version,
            "pinned_core": None,
        }
        reply = server.classify(body_of(*texts))
        info = server.ask("GET", "/v1/info").json

    answer = reply.json
    found = np.array([row["probabilities"] for row in answer["predictions"]], dtype=np.float32)
    assert reply.status == 200
    np.testing.assert_allclose(found, engine.classify(texts).probabilities, rtol=1e-5)
    assert (answer["version"], answer["truncated"]) == (engine.version, 1)
    assert len(reply.headers["x-request-id"]) == 32
    assert info == {
        "model": "tiny",
        "version": engine.version,
        "labels": ["negative", "neutral", "positive"],
        "provider": "cpu",
        "threads": 1,
        "pid": server.process.pid,
    }


def test_bad_requests_are_problems_and_the_connection_stays_usable(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, "--max-request-rows", "2", "--max-body-bytes", "5000") as server:
        connection = server.connect()
        for body, expected in [
            (b"{", 400),
            (b'{"texts": 3}', 422),
            (b'{"texts": []}', 422),
            (body_of("a", "b", "c"), 413),
            (body_of("a" * 9_000), 413),
            (body_of("good"), 200),
        ]:
            answer = exchange(connection, "POST", "/v1/classify", body)
            assert answer.status == expected
            if expected != 200:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json["status"] == expected
        connection.close()


def test_clients_that_leave_early_disturb_nobody_and_fill_no_log(tiny_model_folder: Path) -> None:
    body = body_of("good")
    head = f"POST /v1/classify HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with running(tiny_model_folder) as server:
        for request in (head + body[:-3], head + body) * 5:
            with server.raw() as connection:
                connection.sendall(request)
        answer = server.classify(body)
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""

    assert (answer.status, answer.json["predictions"][0]["label"]) == (200, "positive")


def test_a_port_in_use_is_one_line_and_exit_2(tiny_model_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            command(tiny_model_folder, "--port", str(port)), capture_output=True, text=True, timeout=START_S
        )

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (f"port {port} on 127.0.0.1 is in use; stop what listens there or give --port\n")


def test_a_bad_model_folder_is_one_line_and_exit_2(tiny_model_folder: Path) -> None:
    (tiny_model_folder / "model.onnx").write_bytes(b"")

    result = subprocess.run(command(tiny_model_folder, "--port", "0"), capture_output=True, text=True, timeout=START_S)

    assert (result.returncode, result.stdout) == (2, "")
    assert "model.onnx has sha256" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_a_pinned_server_runs_on_its_core_and_says_so(tiny_model_folder: Path) -> None:
    core = max(os.sched_getaffinity(0))
    with running(tiny_model_folder, "--core", str(core)) as server:
        assert server.ready["pinned_core"] == core
        assert server.classify(b'{"texts": ["it starts the thread that computes"]}').status == 200
        threads = [int(path.name) for path in Path(f"/proc/{server.process.pid}/task").iterdir()]
        assert len(threads) > 1
        assert all(os.sched_getaffinity(thread) == {core} for thread in threads)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_a_core_that_does_not_exist_is_one_line_and_exit_2(tiny_model_folder: Path) -> None:
    result = subprocess.run(
        command(tiny_model_folder, "--port", "0", "--core", "4000"),
        capture_output=True,
        text=True,
        timeout=START_S,
    )

    assert result.returncode == 2
    assert result.stderr.startswith("core 4000 cannot be used; this process may use cores ")


def test_sigterm_under_requests_loses_none_and_exits_0(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        clients = [Client(server) for _ in range(6)]
        for client in clients:
            client.start()
        while not all(client.answered > 3 for client in clients):
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(timeout=20)
        code = server.process.wait(timeout=20)
        stderr = server.process.stderr.read() if server.process.stderr else ""

    assert [client.lost for client in clients] == [[]] * 6
    assert all(client.refused and client.refused["retry-after"] == "1" for client in clients)
    assert (code, stderr) == (0, "")


def test_a_batch_that_never_ends_is_given_up_after_the_drain_time(tiny_model_folder: Path) -> None:
    program = (
        "import sys, time\n"
        "from serving.__main__ import main\n"
        "from serving.engine import Engine\n"
        "def stuck(self, encoded):\n"
        "    sys.stdout.write('computing\\n'); sys.stdout.flush()\n"
        "    time.sleep(60)\n"
        "Engine.probabilities = stuck\n"
        "sys.exit(main())\n"
    )
    with running(tiny_model_folder, "--drain-s", "1", program=program) as server:
        connection = server.connect()
        connection.request("POST", "/v1/classify", body_of("good"))
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "computing\n"
        server.process.terminate()
        assert server.process.wait(timeout=10) == 1
        assert server.process.stderr is not None
        assert server.process.stderr.read().startswith("stopped before every accepted request was answered")
        connection.close()


def test_sigint_of_an_idle_server_exits_0(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=20) == 0


def test_the_server_ends_when_its_stdin_does(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder, "--stop-on-stdin-eof") as server:
        assert server.classify(body_of("good")).status == 200
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(timeout=5) == 4
        server.process.stdin = None


def test_a_server_does_not_outlive_a_killed_parent(tiny_model_folder: Path) -> None:
    parent_code = (
        "import subprocess, sys, time\nchild = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\ntime.sleep(60)\n"
    )
    child = command(tiny_model_folder, "--port", "0", "--stop-on-stdin-eof")
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code, *child],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        ready = json.loads(parent.stdout.readline())
        parent.kill()
        parent.wait(timeout=5)
        assert parent.stdout.read() == ""  # returns at once when the child, which holds the pipe too, is gone
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ready["host"], ready["port"]), timeout=5)
    finally:
        parent.kill()
        parent.communicate()


def test_a_server_without_the_flag_survives_the_end_of_stdin(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.stdin = None
        time.sleep(0.3)
        assert server.classify(body_of("good")).status == 200
